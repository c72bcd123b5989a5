"""Vision transformers: ViT-Ti, S and B."""

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from engine.errors import UserError
from research.models import attention
from research.models.attention import Attention, SelfAttention
from research.models.linear import TokenLinear


class Size(NamedTuple):
    """Features of a token, number of blocks, and attention heads of each."""

    width: int
    depth: int
    heads: int


# After Zhai et al. 2022, https://arxiv.org/abs/2106.04560, table 2; 'mu' is a tiny one for tests.
SIZES = {'mu': Size(32, 1, 2), 'Ti': Size(192, 12, 3), 'S': Size(384, 12, 6), 'B': Size(768, 12, 12)}


class ViT(nnx.Module):
    """Patches of the image as tokens, and blocks with pre-layer normalisation.

    After Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929. The simpler variant of Beyer et al. 2022,
    https://arxiv.org/abs/2205.01580, has pool = 'mean' and positions = 'sincos2d'.

    Args:
      input_shape: (height, width, channels) of one image; multiples of `patch`.
      outputs: number of outputs, such as classes.
      size: 'Ti', 'S' or 'B': 192, 384 or 768 features of a token, 12 blocks. 'mu' has 32 features, one block.
      patch: pixels of the side of a patch.
      pool: input of the last layer: a class token, or the mean of all tokens.
      positions: position embeddings: learned, or fixed sines and cosines.
      mlp_head: whether a layer with tanh comes before the last one.
      zero_init: whether the last layer starts at zero, so that all first outputs are equal.
      dropout: fraction of the features that training drops, after the position embeddings and from the output
        of attention and of the MLP.
      dtype: dtype of the blocks' products. Parameters, means, softmax and the last layer stay float32.
      remat: recompute the activations of a block in the backward pass instead of storing them.
      attention: computes the attention: `attention.xla`, or `attention.cudnn` on an NVIDIA GPU.
      rngs: random streams for parameters and dropout.

    Raises:
      UserError: patches of this size do not cover the image.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        size: Literal['mu', 'Ti', 'S', 'B'] = 'S',
        patch: int = 16,
        pool: Literal['token', 'mean'] = 'token',
        positions: Literal['learned', 'sincos2d'] = 'learned',
        mlp_head: bool = False,
        zero_init: bool = False,
        dropout: float = 0.0,
        dtype: Literal['float32', 'bfloat16'] = 'float32',
        remat: bool = False,
        attention: Attention = attention.xla,
        *,
        rngs: nnx.Rngs,
    ):
        height, width, channels = input_shape
        if height % patch or width % patch:
            raise UserError(
                f'ViT.patch = {patch} does not divide {height}x{width} pixels. '
                'Bind a patch that divides both sides.'
            )
        self.grid, self.pool, self.remat = (height // patch, width // patch), pool, remat
        features, depth, heads = SIZES[size]
        window = (patch, patch)
        convolution = partial(nnx.Conv, strides=window, padding='VALID', dtype=jnp.dtype(dtype))
        self.patches = convolution(channels, features, window, rngs=rngs)
        self.class_token = nnx.data(_parameter((1, 1, features), 1e-6, rngs) if pool == 'token' else None)
        tokens = self.grid[0] * self.grid[1] + (pool == 'token')
        learned = _parameter((1, tokens, features), 0.02, rngs) if positions == 'learned' else None
        self.positions = nnx.data(learned)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.blocks = nnx.List(
            ViTBlock(features, heads, dropout, dtype, attention, rngs=rngs) for _ in range(depth)
        )
        self.norm = nnx.LayerNorm(features, rngs=rngs)
        self.hidden = nnx.data(nnx.Linear(features, features, rngs=rngs) if mlp_head else None)
        output_init = nnx.initializers.zeros if zero_init else nnx.initializers.truncated_normal(0.02)
        self.output = nnx.Linear(features, outputs, kernel_init=output_init, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the outputs, such as logits, f32 [B, outputs], for images f32 [B, H, W, C]."""
        x = self.encode(x)
        x = x[:, 0] if self.pool == 'token' else x.mean(1)
        if self.hidden:
            x = jnp.tanh(self.hidden(x))
        return self.output(x)

    def encode(self, x: jax.Array) -> jax.Array:
        """Returns the features of all tokens, the class token first, f32 [B, T, width]."""
        x = self.patches(x)
        x = self._with_positions(x.reshape(x.shape[0], -1, x.shape[-1]))
        x = self.dropout(x)
        for block in self.blocks:
            x = nnx.remat(ViTBlock.__call__)(block, x) if self.remat else block(x)
        return self.norm(x.astype(jnp.float32))

    def _with_positions(self, x: jax.Array) -> jax.Array:
        """Returns tokens with position embeddings for patches [B, P, width]. The class token comes first."""
        dtype = x.dtype
        if self.positions is None:
            x = x + sincos2d(*self.grid, x.shape[-1]).astype(dtype)
        if self.class_token is not None:
            token = jnp.broadcast_to(self.class_token[...].astype(dtype), (x.shape[0], 1, x.shape[2]))
            x = jnp.concatenate([token, x], 1)
        return x if self.positions is None else x + self.positions[...].astype(dtype)


class ViTBlock(nnx.Module):
    """Self-attention, then an MLP on each token, each with a residual connection."""

    def __init__(
        self, width: int, heads: int, dropout: float, dtype: str, attention: Attention, *, rngs: nnx.Rngs
    ):
        norm = partial(nnx.LayerNorm, width, dtype=jnp.dtype(dtype), rngs=rngs)
        xavier = nnx.initializers.xavier_uniform()
        # The three matrices are stored as one. Each has Xavier's range.
        each = nnx.initializers.variance_scaling(1.0, 'fan_in', 'uniform')
        linear = partial(TokenLinear, kernel_init=xavier, dtype=jnp.dtype(dtype), rngs=rngs)
        self.attention_norm = norm()
        self.attention = SelfAttention(
            width, heads, attention, dtype=dtype, kernel_init=each, output_init=xavier, rngs=rngs
        )
        self.norm = norm()
        self.wide = linear(width, 4 * width)
        self.narrow = linear(4 * width, width)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features [B, T, width] for x [B, T, width]."""
        x = x + self.dropout(self.attention(self.attention_norm(x)))
        h = nnx.gelu(self.wide(self.norm(x)), approximate=False)
        return x + self.dropout(self.narrow(h))


def sincos2d(height: int, width: int, features: int) -> np.ndarray:
    """Returns fixed position embeddings of a grid, row by row, f32 [1, height * width, features].

    Source: Chen et al. 2021, https://arxiv.org/abs/2104.02057, as in Beyer et al. 2022.

    Args:
      height: rows of the grid.
      width: columns of the grid.
      features: a multiple of 4, at least 8.
    """
    y, x = np.mgrid[:height, :width].reshape(2, -1, 1)
    frequencies = 10_000.0 ** -np.linspace(0, 1, features // 4)
    angles = x * frequencies, y * frequencies
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.concatenate(waves, 1)[None].astype(np.float32)


def _parameter(shape: tuple[int, ...], deviation: float, rngs: nnx.Rngs) -> nnx.Param:
    return nnx.Param(nnx.initializers.truncated_normal(deviation)(rngs.params(), shape))
