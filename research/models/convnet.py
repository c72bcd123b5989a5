"""A small convolutional network with batch normalisation and dropout."""

import jax
from flax import nnx


class ConvNet(nnx.Module):
    """Stages of two 3x3 convolutions. From stage to stage, the width doubles and the resolution halves.

    After VGG, Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556, but with batch normalisation, and
    with global average pooling instead of fully connected layers.

    Args:
      input_shape: (height, width, channels) of one image.
      outputs: number of outputs, such as classes.
      width: channels of the first stage.
      stages: number of stages, with 2x2 max pooling between them.
      dropout: fraction of the features that training drops before the last layer.
      rngs: random streams for parameters and dropout.
    """

    def __init__(
        self,
        input_shape: tuple[int, int, int],
        outputs: int,
        width: int = 32,
        stages: int = 2,
        dropout: float = 0.2,
        *,
        rngs: nnx.Rngs,
    ):
        channels = input_shape[-1]
        self.stages = nnx.List()
        for stage in range(stages):
            self.stages.append(ConvStage(channels, width * 2**stage, rngs=rngs))
            channels = width * 2**stage
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        self.output = nnx.Linear(channels, outputs, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the outputs, such as logits, f32 [B, outputs], for images f32 [B, H, W, C]."""
        for index, stage in enumerate(self.stages):
            if index:
                x = nnx.max_pool(x, (2, 2), strides=(2, 2))
            x = stage(x)
        return self.output(self.dropout(x.mean((1, 2))))


class ConvStage(nnx.Module):
    """Two 3x3 convolutions, each with batch normalisation and ReLU."""

    def __init__(self, channels: int, width: int, *, rngs: nnx.Rngs):
        # No bias: the normalisation that follows subtracts the mean and adds a bias of its own.
        self.first = nnx.Conv(channels, width, (3, 3), use_bias=False, rngs=rngs)
        self.first_norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.second = nnx.Conv(width, width, (3, 3), use_bias=False, rngs=rngs)
        self.second_norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns features f32 [B, H, W, width] for x f32 [B, H, W, channels]."""
        x = nnx.relu(self.first_norm(self.first(x)))
        return nnx.relu(self.second_norm(self.second(x)))
