"""U-Net: a class for each pixel, from what is seen near and far."""

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError


class UNet(nnx.Module):
    """A U-Net: down to coarse features and up again, at each resolution with what was seen there before.

    After Ronneberger, Fischer and Brox 2015, https://arxiv.org/abs/1505.04597, with zeros around the image,
    so that its size stays; batch normalisation, Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167; and
    pixels repeated on the way up, Odena et al. 2016, https://doi.org/10.23915/distill.00003.

    Args:
      input_shape: (height, width, channels) of one image; 2^(stages - 1) divides height and width.
      classes: number of outputs for each pixel.
      width: channels at full resolution.
      stages: number of resolutions; from one to the next, channels double and the resolution halves.
      rngs: random streams for parameters.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        classes: int,
        width: int = 32,
        stages: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        height, columns, channels = input_shape
        factor = 2 ** (stages - 1)
        if height % factor or columns % factor:
            raise UserError(
                f'UNet.stages = {stages} halves images {stages - 1} times, but {height}x{columns} pixels are '
                f'not divisible by {factor}: bind fewer stages.'
            )
        widths = [width * 2**stage for stage in range(stages)]
        self.down, self.narrow, self.up = nnx.List(), nnx.List(), nnx.List()
        for each in widths:
            self.down.append(Stage(channels, each, rngs=rngs))
            channels = each
        for each in reversed(widths[:-1]):
            self.narrow.append(nnx.Linear(channels, each, rngs=rngs))
            self.up.append(Stage(2 * each, each, rngs=rngs))
            channels = each
        self.output = nnx.Conv(channels, classes, (1, 1), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns logits f32 [B, H, W, classes] for images f32 [B, H, W, C]."""
        seen = []
        for index, stage in enumerate(self.down):
            if index:
                x = nnx.max_pool(x, (2, 2), strides=(2, 2))
            x = stage(x)
            seen.append(x)
        for narrow, stage, there in zip(self.narrow, self.up, reversed(seen[:-1]), strict=True):
            x = narrow(x).repeat(2, axis=1).repeat(2, axis=2)
            x = stage(jnp.concatenate([there, x], -1))
        return self.output(x)


class Stage(nnx.Module):
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, channels: int, width: int, *, rngs: nnx.Rngs):
        # No bias: the normalisation that follows has one.
        self.first = nnx.Conv(channels, width, (3, 3), use_bias=False, rngs=rngs)
        self.first_norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.second = nnx.Conv(width, width, (3, 3), use_bias=False, rngs=rngs)
        self.second_norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features f32 [B, H, W, width] for x f32 [B, H, W, channels]."""
        x = nnx.relu(self.first_norm(self.first(x)))
        return nnx.relu(self.second_norm(self.second(x)))
