"""The residual generator and discriminator of SNGAN: Miyato et al. 2018, https://arxiv.org/abs/1802.05957."""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from research.models import normalization
from research.models.dcgan import doubled, smallest
from research.models.normalization import Normalization


class ResNetGenerator(nnx.Module):
    """Maps a vector to an image: a projection, then blocks, each at twice the resolution of the one before.

    Args:
      latent_dim: length of the vector.
      image_shape: (height, width, channels) of the image.
      width: channels of all blocks.
      stages: number of blocks.
      normalization: normalisation of the layers, such as `normalization.batch`.
      rngs: random streams for parameters.
    """

    def __init__(
        self,
        latent_dim: int,
        image_shape: tuple[int, int, int],
        width: int = 32,
        stages: int = 2,
        normalization: Normalization = normalization.batch,
        *,
        rngs: nnx.Rngs,
    ):
        self.shape = (*smallest(image_shape, stages), width)
        size = self.shape[0] * self.shape[1] * width
        self.project = normalization(partial(nnx.Linear, latent_dim, size), size, rngs=rngs)
        self.blocks = nnx.List(ResidualBlock(width, normalization, rngs=rngs) for _ in range(stages))
        output = partial(nnx.Conv, width, image_shape[-1], (3, 3))
        self.output = normalization(output, image_shape[-1], rngs=rngs, edge=True)

    def __call__(self, z: jax.Array) -> jax.Array:
        """Returns images f32 [B, H, W, C] between -1 and 1 for vectors f32 [B, latent_dim]."""
        x = self.project(z).reshape(-1, *self.shape)
        for block in self.blocks:
            x = block(doubled(x))
        return jnp.tanh(self.output(nnx.relu(x)))


class ResNetDiscriminator(nnx.Module):
    """Maps an image to logits: a convolution, blocks with average pooling after each, a sum over all pixels.

    Args:
      input_shape: (height, width, channels) of one image.
      outputs: number of logits; 1 in a GAN.
      width: channels of all blocks.
      stages: number of blocks.
      normalization: normalisation of the layers, such as `normalization.spectral`.
      rngs: random streams for parameters.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int = 1,
        width: int = 32,
        stages: int = 2,
        normalization: Normalization = normalization.spectral,
        *,
        rngs: nnx.Rngs,
    ):
        smallest(input_shape, stages)
        convolution = partial(nnx.Conv, input_shape[-1], width, (3, 3))
        self.input = normalization(convolution, width, rngs=rngs, edge=True)
        self.blocks = nnx.List(ResidualBlock(width, normalization, rngs=rngs) for _ in range(stages))
        self.output = normalization(partial(nnx.Linear, width, outputs), outputs, rngs=rngs, edge=True)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits f32 [B, outputs] for images f32 [B, H, W, C]."""
        x = self.input(x)
        for block in self.blocks:
            x = nnx.avg_pool(block(x), (2, 2), strides=(2, 2))
        return self.output(nnx.relu(x).sum((1, 2)))


class ResidualBlock(nnx.Module):
    """Two 3x3 convolutions, each after a ReLU, with a residual connection."""

    def __init__(self, width: int, normalization: Normalization, *, rngs: nnx.Rngs):
        convolution = partial(nnx.Conv, width, width, (3, 3))
        self.first = normalization(convolution, width, rngs=rngs)
        self.second = normalization(convolution, width, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features f32 [B, H, W, width] for x of the same shape."""
        return x + self.second(nnx.relu(self.first(nnx.relu(x))))
