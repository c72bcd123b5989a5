"""Residual networks for images: ResNet-18, 34, 50 and 101."""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # blocks, by depth


class ResNet(nnx.Module):
    """A convolution, four stages of residual blocks, global average pooling and a linear layer.

    After He et al. 2016, https://arxiv.org/abs/1512.03385. As in torchvision, a bottleneck halves the
    resolution in its 3x3 convolution ("v1.5"), and weights are initialised after He et al. 2015,
    https://arxiv.org/abs/1502.01852.

    Args:
      input_shape: (height, width, channels) of one image.
      outputs: number of outputs, such as classes.
      depth: number of layers with weights. Up to 34, a block has two convolutions. Above, it is a bottleneck.
      width: channels of the first stage; 64 as published.
      small_images: whether the network begins with a 3x3 convolution at full resolution, as for 32x32 pixels,
        instead of a 7x7 convolution and max pooling, which together divide the resolution by 4.
      zero_init: whether each block begins as the identity: the scale of its last normalisation starts at 0.
        Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.1.
      dtype: dtype of the convolutions. Parameters, statistics and the last layer stay float32.
      remat: recompute the activations of a block in the backward pass instead of storing them.
      rngs: random streams for parameters.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        depth: Literal[18, 34, 50, 101] = 50,
        width: int = 64,
        small_images: bool = False,
        zero_init: bool = False,
        dtype: Literal['float32', 'bfloat16'] = 'float32',
        remat: bool = False,
        *,
        rngs: nnx.Rngs,
    ):
        self.small_images, self.remat = small_images, remat
        size, stride = (3, 1) if small_images else (7, 2)
        self.stem = ConvBatchNorm(input_shape[-1], width, size, stride, dtype=dtype, rngs=rngs)
        block, channels = BasicBlock if depth < 50 else Bottleneck, width
        self.stages = nnx.List()
        for stage, count in enumerate(STAGES[depth]):
            blocks = nnx.List()
            for index in range(count):
                stride = 2 if stage and not index else 1
                blocks.append(block(channels, width * 2**stage, stride, zero_init, dtype, rngs=rngs))
                channels = block.expansion * width * 2**stage
            self.stages.append(blocks)
        self.output = nnx.Linear(channels, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the outputs, such as logits, f32 [B, outputs], for images f32 [B, H, W, C]."""
        return self.output(self.encode(x))

    def encode(self, x: jax.Array) -> jax.Array:
        """Returns the features before the last layer, f32 [B, F], for images f32 [B, H, W, C]."""
        x = nnx.relu(self.stem(x))
        if not self.small_images:
            x = nnx.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))  # type: ignore[arg-type]
        for blocks in self.stages:
            for block in blocks:
                x = nnx.remat(type(block).__call__)(block, x) if self.remat else block(x)
        return x.mean((1, 2), dtype=jnp.float32)


class ConvBatchNorm(nnx.Module):
    """A convolution with batch normalisation, whose sums are float32."""

    def __init__(
        self,
        channels: int,
        width: int,
        size: int,
        stride: int = 1,
        scale: float = 1.0,
        *,
        dtype: str,
        rngs: nnx.Rngs,
    ):
        # PyTorch's padding, which differs from 'SAME' for images of even size.
        self.conv = nnx.Conv(
            channels,
            width,
            (size, size),
            strides=stride,
            padding=size // 2,
            use_bias=False,
            kernel_init=nnx.initializers.variance_scaling(2.0, 'fan_out', 'normal'),
            dtype=jnp.dtype(dtype),
            rngs=rngs,
        )
        scale_init = nnx.initializers.constant(scale)
        self.norm = nnx.BatchNorm(
            width, momentum=0.9, scale_init=scale_init, dtype=jnp.dtype(dtype), rngs=rngs
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features [B, H / stride, W / stride, width] for x [B, H, W, channels]."""
        return self.norm(self.conv(x))


class BasicBlock(nnx.Module):
    """Two 3x3 convolutions with a residual connection."""

    expansion = 1

    def __init__(
        self, channels: int, width: int, stride: int, zero_init: bool, dtype: str, *, rngs: nnx.Rngs
    ):
        layer = partial(ConvBatchNorm, dtype=dtype, rngs=rngs)
        self.layer1 = layer(channels, width, 3, stride)
        self.layer2 = layer(width, width, 3, scale=0.0 if zero_init else 1.0)
        changes_shape = stride > 1 or channels != width
        self.shortcut = nnx.data(layer(channels, width, 1, stride) if changes_shape else None)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features [B, H / stride, W / stride, width] for x [B, H, W, channels]."""
        shortcut = self.shortcut(x) if self.shortcut else x
        return nnx.relu(shortcut + self.layer2(nnx.relu(self.layer1(x))))


class Bottleneck(nnx.Module):
    """A 1x1, a 3x3 and a 1x1 convolution, the last to 4 times the channels, with a residual connection."""

    expansion = 4

    def __init__(
        self, channels: int, width: int, stride: int, zero_init: bool, dtype: str, *, rngs: nnx.Rngs
    ):
        layer = partial(ConvBatchNorm, dtype=dtype, rngs=rngs)
        self.layer1 = layer(channels, width, 1)
        self.layer2 = layer(width, width, 3, stride)
        self.layer3 = layer(width, 4 * width, 1, scale=0.0 if zero_init else 1.0)
        changes_shape = stride > 1 or channels != 4 * width
        self.shortcut = nnx.data(layer(channels, 4 * width, 1, stride) if changes_shape else None)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features [B, H / stride, W / stride, 4 width] for x [B, H, W, channels]."""
        shortcut = self.shortcut(x) if self.shortcut else x
        x = nnx.relu(self.layer2(nnx.relu(self.layer1(x))))
        return nnx.relu(shortcut + self.layer3(x))
