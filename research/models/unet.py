"""U-Net: outputs for each pixel, from features at several resolutions."""

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError
from research.models.convnet import ConvStage


class UNet(nnx.Module):
    """An encoder and a decoder with skip connections between stages of the same resolution.

    After Ronneberger, Fischer and Brox 2015, https://arxiv.org/abs/1505.04597. Three things differ: zero
    padding keeps the size of the image; batch normalisation follows each convolution, Ioffe and Szegedy 2015,
    https://arxiv.org/abs/1502.03167; and the decoder repeats pixels before it convolves, Odena et al. 2016,
    https://doi.org/10.23915/distill.00003.

    Args:
      input_shape: (height, width, channels) of one image. 2^(stages - 1) must divide height and width.
      outputs: number of outputs for each pixel, such as classes.
      width: channels at full resolution.
      stages: number of resolutions. From one to the next, the channels double and the resolution halves.
      rngs: random streams for parameters.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        width: int = 32,
        stages: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        height, columns, channels = input_shape
        factor = 2 ** (stages - 1)
        if height % factor or columns % factor:
            raise UserError(
                f'UNet.stages = {stages} halves images {stages - 1} times, but {factor} does not divide '
                f'{height}x{columns} pixels: bind fewer stages.'
            )
        widths = [width * 2**stage for stage in range(stages)]
        self.down, self.narrow, self.up = nnx.List(), nnx.List(), nnx.List()
        for stage_width in widths:
            self.down.append(ConvStage(channels, stage_width, rngs=rngs))
            channels = stage_width
        for stage_width in reversed(widths[:-1]):
            self.narrow.append(nnx.Linear(channels, stage_width, rngs=rngs))
            self.up.append(ConvStage(2 * stage_width, stage_width, rngs=rngs))
            channels = stage_width
        self.output = nnx.Conv(channels, outputs, (1, 1), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the outputs, such as logits, f32 [B, H, W, outputs], for images f32 [B, H, W, C]."""
        skips = []
        for index, stage in enumerate(self.down):
            if index:
                x = nnx.max_pool(x, (2, 2), strides=(2, 2))
            x = stage(x)
            skips.append(x)
        for narrow, stage, skip in zip(self.narrow, self.up, reversed(skips[:-1]), strict=True):
            x = narrow(x).repeat(2, axis=1).repeat(2, axis=2)
            x = stage(jnp.concatenate([skip, x], -1))
        return self.output(x)
