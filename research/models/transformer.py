"""A transformer: each token attends to itself and to the tokens before it, or to all tokens of its text."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError


class Transformer(nnx.Module):
    """Blocks with pre-layer normalisation, and learned position embeddings.

    After Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, in the variant of GPT-2, Radford et al. 2019.

    Args:
      vocabulary: number of different tokens.
      length: number of positions, the longest text in tokens.
      width: features of a token; a multiple of `heads`.
      depth: number of blocks.
      heads: attention heads of each block.
      dropout: fraction of the features that training drops from the output of attention and of the MLP.
      causal: whether a token attends to the tokens before it alone. Otherwise it attends to all tokens of its
        text, whose `length` must be given.
      remat: recompute the activations of a block in the backward pass instead of storing them.
      rngs: random streams for parameters and dropout.
    """

    def __init__(
        self,
        vocabulary: int,
        length: int,
        width: int = 128,
        depth: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        causal: bool = True,
        remat: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        if width % heads:
            raise UserError(f'Transformer.heads = {heads} does not divide Transformer.width = {width}.')
        self.causal, self.remat = causal, remat
        self.tokens = nnx.Embed(vocabulary, width, rngs=rngs)
        self.positions = nnx.Embed(length, width, rngs=rngs)
        self.blocks = nnx.List(TransformerBlock(width, heads, dropout, rngs=rngs) for _ in range(depth))
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.output = nnx.Linear(width, vocabulary, rngs=rngs)

    def __call__(self, x: jax.Array | Mapping[str, jax.Array]) -> jax.Array:
        """Returns logits f32 [B, L, vocabulary] for what `encode` takes, such as tokens int32 [B, L]."""
        return self.output(self.encode(x))

    def encode(self, x: jax.Array | Mapping[str, jax.Array]) -> jax.Array:
        """Returns the features of each token, f32 [B, L, width].

        Args:
          x: tokens int32 [B, L]; or a dict of `tokens` and `length`, int32 [B]: how many of them are text. No
            token attends to the others, the padding.
        """
        tokens, length = (x['tokens'], x['length']) if isinstance(x, Mapping) else (x, None)
        if not self.causal and length is None:
            raise UserError('Transformer.causal = False: give the lengths, {"tokens": ..., "length": ...}.')
        x = self.tokens(tokens) + self.positions(jnp.arange(tokens.shape[1]))[None]
        mask = self._mask(tokens, length)
        for block in self.blocks:
            x = nnx.remat(TransformerBlock.__call__)(block, x, mask) if self.remat else block(x, mask)
        return self.norm(x)

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
        h = self.tokens(x['token']) + self.positions(position)[None]
        cache = x.get('cache') or [block.empty_cache(h, length) for block in self.blocks]
        for index, block in enumerate(self.blocks):
            h, cache[index] = block.decode(h, position, cache[index])
        return {'logits': self.output(self.norm(h)), 'cache': cache}

    def _mask(self, tokens: jax.Array, length: jax.Array | None) -> jax.Array | None:
        """Returns which tokens each token attends to, [B, 1, L, L]."""
        causal = nnx.make_causal_mask(tokens) if self.causal else None
        if length is None:
            return causal
        is_text = jnp.arange(tokens.shape[1])[None] < length[:, None]
        return nnx.combine_masks(causal, nnx.make_attention_mask(jnp.ones_like(is_text), is_text))


class TransformerBlock(nnx.Module):
    """Self-attention, then an MLP on each token, each with a residual connection."""

    def __init__(self, width: int, heads: int, dropout: float, *, rngs: nnx.Rngs):
        self.attention_norm = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.wide = nnx.Linear(width, 4 * width, rngs=rngs)
        self.narrow = nnx.Linear(4 * width, width, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array | None) -> jax.Array:
        """Returns features f32 [B, L, width] for x f32 [B, L, width]."""
        x = x + self.dropout(self.attention(self.attention_norm(x), mask=mask))
        return self._with_mlp(x)

    def empty_cache(self, x: jax.Array, length: int) -> dict[str, jax.Array]:
        """Returns room for the keys and values of `length` tokens, for features like x, f32 [B, width]."""
        heads = self.attention.num_heads
        empty = jnp.zeros((x.shape[0], length, heads, x.shape[1] // heads), x.dtype)
        return {'key': empty, 'value': empty}

    def decode(
        self, x: jax.Array, position: jax.Array, cache: dict[str, jax.Array]
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Returns features f32 [B, width] of the token at `position`, and the cache that holds it."""
        h = self.attention_norm(x)[:, None]
        new = {'key': self.attention.key(h), 'value': self.attention.value(h)}
        cache = {
            name: jax.lax.dynamic_update_slice_in_dim(cache[name], array, position, 1)
            for name, array in new.items()
        }
        is_known = jnp.arange(cache['key'].shape[1])[None, None, None] <= position
        attended = nnx.dot_product_attention(
            self.attention.query(h), cache['key'], cache['value'], mask=is_known
        )
        return self._with_mlp(x + self.attention.out(attended)[:, 0]), cache

    def _with_mlp(self, x: jax.Array) -> jax.Array:
        return x + self.dropout(self.narrow(nnx.gelu(self.wide(self.norm(x)))))
