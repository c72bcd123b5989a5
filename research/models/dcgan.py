"""The convolutional generator and discriminator of DCGAN: Radford et al. 2016, https://arxiv.org/abs/1511.06434.

The generator repeats pixels and then convolves, because transposed convolutions leave a checkerboard pattern:
Odena et al. 2016, https://distill.pub/2016/deconv-checkerboard.
"""

from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError
from research.models import normalization
from research.models.normalization import Normalization


def smallest(image_shape: tuple[int, ...], stages: int) -> tuple[int, int]:
    """Returns height and width of an image halved `stages` times; `UserError` if they are not divisible."""
    height, width = image_shape[:2]
    if height % 2**stages or width % 2**stages:
        raise UserError(
            f'images of {height}x{width} pixels cannot be halved {stages} times: bind fewer stages.'
        )
    return height // 2**stages, width // 2**stages


def doubled(x: jax.Array) -> jax.Array:
    """Returns x [B, H, W, C] at twice the resolution, [B, 2H, 2W, C], its pixels repeated."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


class DCGANGenerator(nnx.Module):
    """Maps a vector to an image: a projection, then stages that double the resolution and halve the width.

    Args:
      latent_dim: length of the vector.
      image_shape: (height, width, channels) of the image.
      width: channels of the last stage, at full resolution.
      stages: number of stages.
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
        height, breadth = smallest(image_shape, stages)
        channels = width * 2**stages
        self.shape = (height, breadth, channels)
        size = height * breadth * channels
        self.project = normalization(partial(nnx.Linear, latent_dim, size), size, rngs=rngs)
        self.stages = nnx.List()
        for _ in range(stages):
            convolution = partial(nnx.Conv, channels, channels // 2, (3, 3))
            channels //= 2
            self.stages.append(normalization(convolution, channels, rngs=rngs))
        output = partial(nnx.Conv, channels, image_shape[-1], (3, 3))
        self.output = normalization(output, image_shape[-1], rngs=rngs, edge=True)

    def __call__(self, z: jax.Array) -> jax.Array:
        """Returns images f32 [B, H, W, C] between -1 and 1 for vectors f32 [B, latent_dim]."""
        x = nnx.relu(self.project(z)).reshape(-1, *self.shape)
        for stage in self.stages:
            x = nnx.relu(stage(doubled(x)))
        return jnp.tanh(self.output(x))


class DCGANDiscriminator(nnx.Module):
    """Maps an image to logits: a convolution, then stages that halve the resolution and double the width.

    Args:
      input_shape: (height, width, channels) of one image.
      outputs: number of logits; 1 in a GAN.
      width: channels of the first convolution, at full resolution.
      stages: number of stages.
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
        height, breadth = smallest(input_shape, stages)
        self.input = normalization(
            partial(nnx.Conv, input_shape[-1], width, (3, 3)), width, rngs=rngs, edge=True
        )
        self.stages = nnx.List()
        for _ in range(stages):
            convolution = partial(nnx.Conv, width, 2 * width, (4, 4), strides=2)
            width *= 2
            self.stages.append(normalization(convolution, width, rngs=rngs))
        output = partial(nnx.Linear, height * breadth * width, outputs)
        self.output = normalization(output, outputs, rngs=rngs, edge=True)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits f32 [B, outputs] for images f32 [B, H, W, C]."""
        x = nnx.leaky_relu(self.input(x), 0.1)
        for stage in self.stages:
            x = nnx.leaky_relu(stage(x), 0.1)
        return self.output(x.reshape(x.shape[0], -1))
