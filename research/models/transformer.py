"""A causal transformer: each token attends to itself and to the tokens before it."""

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError


class Transformer(nnx.Module):
    """A decoder with pre-layer normalisation and learned position embeddings.

    After Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, in the variant of GPT-2, Radford et al. 2019.

    Args:
      vocabulary: number of different tokens.
      length: number of positions, the longest text in tokens.
      width: features of a token; a multiple of `heads`.
      depth: number of blocks.
      heads: attention heads of each block.
      dropout: fraction of the features that training drops from the output of attention and of the MLP.
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
        *,
        rngs: nnx.Rngs,
    ):
        if width % heads:
            raise UserError(f'Transformer.heads = {heads} does not divide Transformer.width = {width}.')
        self.tokens = nnx.Embed(vocabulary, width, rngs=rngs)
        self.positions = nnx.Embed(length, width, rngs=rngs)
        self.blocks = nnx.List(TransformerBlock(width, heads, dropout, rngs=rngs) for _ in range(depth))
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.output = nnx.Linear(width, vocabulary, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits f32 [B, L, vocabulary] for tokens int32 [B, L]."""
        x = self.tokens(x) + self.positions(jnp.arange(x.shape[1]))[None]
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x))


class TransformerBlock(nnx.Module):
    """Causal self-attention, then an MLP on each token, each with a residual connection."""

    def __init__(self, width: int, heads: int, dropout: float, *, rngs: nnx.Rngs):
        self.attention_norm = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.wide = nnx.Linear(width, 4 * width, rngs=rngs)
        self.narrow = nnx.Linear(4 * width, width, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features f32 [B, L, width] for x f32 [B, L, width]."""
        causal = nnx.make_causal_mask(x[..., 0])
        x = x + self.dropout(self.attention(self.attention_norm(x), mask=causal))
        return x + self.dropout(self.narrow(nnx.gelu(self.wide(self.norm(x)))))
