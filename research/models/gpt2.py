"""GPT-2: a causal transformer for text."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError
from research.models import attention
from research.models.attention import Attention, SelfAttention
from research.models.linear import TokenLinear


class GPT2(nnx.Module):
    """Blocks with pre-layer normalisation, learned positions, and one matrix for input and output tokens.

    After Radford et al. 2019, "Language Models are Unsupervised Multitask Learners". By default, it has the
    124,439,808 parameters of the smallest published model.

    Args:
      vocabulary: number of different tokens.
      length: number of positions, the longest text in tokens.
      width: features of a token; a multiple of `heads`.
      depth: number of blocks.
      heads: attention heads of each block.
      dropout: fraction of the features that training drops from the embeddings, and from the output of
        attention and of the MLP. Attention weights are not dropped: fused kernels do not store them.
      use_bias: whether linear layers and normalisations have biases, as published.
      dtype: dtype of the products, also of those that give the logits. Parameters, means and softmax stay
        float32.
      remat: recompute the activations of a block in the backward pass instead of storing them.
      attention: computes the attention: `attention.xla`, or `attention.cudnn` on an NVIDIA GPU.
      rngs: random streams for parameters and dropout.

    Raises:
      UserError: `heads` does not divide `width`.
    """

    def __init__(
        self,
        vocabulary: int = 50257,
        length: int = 1024,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        dropout: float = 0.0,
        use_bias: bool = True,
        dtype: Literal['float32', 'bfloat16'] = 'float32',
        remat: bool = False,
        attention: Attention = attention.xla,
        *,
        rngs: nnx.Rngs,
    ):
        self.remat = remat
        embed = partial(
            nnx.Embed, embedding_init=nnx.initializers.normal(0.02), dtype=jnp.dtype(dtype), rngs=rngs
        )
        self.tokens = embed(vocabulary, width)
        self.positions = embed(length, width)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        block = partial(GPT2Block, width, heads, depth, dropout, use_bias, dtype, attention, rngs=rngs)
        self.blocks = nnx.List(block() for _ in range(depth))
        self.norm = _layer_norm(width, use_bias, dtype, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits f32 [B, L, vocabulary] of the next tokens, for tokens int32 [B, L]."""
        return self._logits(self.encode(x))

    def encode(self, x: jax.Array) -> jax.Array:
        """Returns the features of each token, [B, L, width] in `dtype`, for tokens int32 [B, L].

        Padding after a text changes none of its features.
        """
        h = self.dropout(self.tokens(x) + self.positions(jnp.arange(x.shape[1]))[None])
        for block in self.blocks:
            h = nnx.remat(GPT2Block.__call__)(block, h) if self.remat else block(h)
        return self.norm(h)

    def decode(self, x: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the logits of the token after one token, f32 [B, vocabulary], and the new cache.

        With the keys and values of earlier tokens, it computes what `__call__` does with all tokens.

        Args:
          x: `token`, int32 [B]; its `position`, int32 []; and `cache`, as an earlier call returned it. The
            first call, at position 0, needs none.

        Returns:
          `logits` and `cache`.
        """
        position, length = x['position'], self.positions.embedding.shape[0]
        h = (self.tokens(x['token']) + self.positions(position)[None])[:, None]
        cache = x.get('cache') or [block.empty_cache(h, length) for block in self.blocks]
        for index, block in enumerate(self.blocks):
            h, cache[index] = block.decode(h, position, cache[index])
        return {'logits': self._logits(self.norm(h))[:, 0], 'cache': cache}

    def _logits(self, features: jax.Array) -> jax.Array:
        rows = features.reshape(-1, features.shape[-1])  # as in `TokenLinear`
        return self.tokens.attend(rows).reshape(*features.shape[:-1], -1).astype(jnp.float32)


class GPT2Block(nnx.Module):
    """Causal self-attention, then an MLP on each token, each with a residual connection."""

    def __init__(
        self,
        width: int,
        heads: int,
        depth: int,
        dropout: float,
        use_bias: bool,
        dtype: str,
        attention: Attention,
        *,
        rngs: nnx.Rngs,
    ):
        if width % heads:
            raise UserError(f'GPT2.heads = {heads} does not divide GPT2.width = {width}.')
        # The residual connections sum 2 * depth outputs.
        init, output_init = (nnx.initializers.normal(0.02 / scale) for scale in (1, (2 * depth) ** 0.5))
        linear = partial(TokenLinear, use_bias=use_bias, dtype=jnp.dtype(dtype), rngs=rngs)
        self.attention_norm = _layer_norm(width, use_bias, dtype, rngs)
        self.attention = SelfAttention(
            width, heads, attention, True, use_bias, dtype, init, output_init, rngs=rngs
        )
        self.norm = _layer_norm(width, use_bias, dtype, rngs)
        self.wide = linear(width, 4 * width, kernel_init=init)
        self.narrow = linear(4 * width, width, kernel_init=output_init)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features [B, L, width] for x [B, L, width]."""
        return self._with_mlp(x + self.dropout(self.attention(self.attention_norm(x))))

    def empty_cache(self, x: jax.Array, length: int) -> dict[str, jax.Array]:
        """Returns room for the keys and values of `length` tokens, for features like x, [B, 1, width]."""
        heads = self.attention.heads
        empty = jnp.zeros((x.shape[0], length, heads, x.shape[-1] // heads), x.dtype)
        return {'key': empty, 'value': empty}

    def decode(
        self, x: jax.Array, position: jax.Array, cache: dict[str, jax.Array]
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Returns features [B, 1, width] of the token at `position`, and the cache that holds it."""
        query, key, value = self.attention.projected(self.attention_norm(x))
        cache = {
            name: jax.lax.dynamic_update_slice_in_dim(cache[name], array, position, 1)
            for name, array in {'key': key, 'value': value}.items()
        }
        is_known = jnp.arange(cache['key'].shape[1])[None, None, None] <= position
        # A single query: the kernels for many gain nothing here.
        attended = attention.xla(query, cache['key'], cache['value'], mask=is_known)
        return self._with_mlp(x + self.attention.joined(attended)), cache

    def _with_mlp(self, x: jax.Array) -> jax.Array:
        return x + self.dropout(self.narrow(nnx.gelu(self.wide(self.norm(x)), approximate=True)))


def _layer_norm(width: int, use_bias: bool, dtype: str, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """Returns a normalisation whose means are float32 and whose output is of `dtype`."""
    return nnx.LayerNorm(width, epsilon=1e-5, use_bias=use_bias, dtype=jnp.dtype(dtype), rngs=rngs)
