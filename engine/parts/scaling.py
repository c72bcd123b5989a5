"""Scales images to the range that networks expect."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from engine.errors import UserError

Scale = Callable[[jax.Array], jax.Array]  # images [B, H, W, C] of any dtype -> f32 [B, H, W, C]


def scaled(images: jax.Array) -> jax.Array:
    """Returns images scaled from the range of their dtype to -1 to 1.

    >>> scaled(jnp.array([0, 255], jnp.uint8)).tolist()
    [-1.0, 1.0]
    >>> scaled(jnp.array([0, 65535], jnp.uint16)).tolist()
    [-1.0, 1.0]

    Args:
      images: uint8 or uint16 of any shape. Floating-point images come back as they are, because their dtype
        states no range: the dataset must hold them in about -1 to 1.

    Returns:
      f32, of the same shape.

    Raises:
      UserError: the dtype states no range of an image, such as int32 or bool.
    """
    if jnp.issubdtype(images.dtype, jnp.floating):
        return images.astype(jnp.float32)
    return images.astype(jnp.float32) / (_white(images.dtype) / 2) - 1


def _white(dtype: jnp.dtype) -> int:
    """Returns the value of white. Raises `UserError` if a dtype does not state it."""
    if dtype not in (jnp.uint8, jnp.uint16):
        raise UserError(
            f'Images of the dtype {dtype} cannot be scaled to -1 to 1, because it does not say which '
            'value is white. Let the dataset hold them as uint8 (0 to 255), as uint16 (0 to 65535), or as '
            'float32 in about -1 to 1; or override the method `inputs` of the task.'
        )
    return jnp.iinfo(dtype).max


@dataclass(frozen=True)
class PerChannel:
    """Subtracts a mean from each channel and divides by a deviation, as `torchvision.transforms.Normalize`.

        classification.Classification.scale = @scaling.PerChannel()
        scaling.PerChannel.mean = (0.485, 0.456, 0.406)       # of ImageNet
        scaling.PerChannel.deviation = (0.229, 0.224, 0.225)

    Both are those of images in 0 to 1, whatever their dtype:

    >>> grey = PerChannel(mean=(0.5,), deviation=(0.25,))
    >>> grey(jnp.array([[0], [255]], jnp.uint8)).tolist()
    [[-2.0], [2.0]]

    Args:
      mean: mean of each channel.
      deviation: standard deviation of each channel.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if len(self.mean) != len(self.deviation) or not self.mean:
            raise UserError(
                f'PerChannel.mean has {len(self.mean)} numbers and PerChannel.deviation '
                f'{len(self.deviation)}. Give one for each channel.'
            )
        if not all(map(math.isfinite, self.mean)):
            raise UserError(f'PerChannel.mean = {self.mean}: give finite numbers.')
        if not all(0 < value < math.inf for value in self.deviation):
            raise UserError(f'PerChannel.deviation = {self.deviation}: give numbers above 0.')

    def __call__(self, images: jax.Array) -> jax.Array:
        """Returns scaled images, f32 of the same shape.

        Args:
          images: uint8 or uint16 [..., C], or floating-point images in 0 to 1.

        Raises:
          UserError: the images have another number of channels, or their dtype states no range.
        """
        channels = images.shape[-1] if images.ndim else 0
        if channels != len(self.mean):
            raise UserError(
                f'PerChannel.mean has {len(self.mean)} numbers, but images of the shape '
                f'{list(images.shape[1:])} have {channels} channels. Give one number for each.'
            )
        white = 1 if jnp.issubdtype(images.dtype, jnp.floating) else _white(images.dtype)
        mean, deviation = (jnp.array(values, jnp.float32) for values in (self.mean, self.deviation))
        return (images.astype(jnp.float32) / white - _last_axis(mean, images)) / _last_axis(deviation, images)


def _last_axis(values: jax.Array, images: jax.Array) -> jax.Array:
    return jnp.expand_dims(values, tuple(range(images.ndim - 1)))


def same_dtype(images: jax.Array, augmented: jax.Array) -> jax.Array:
    """Returns augmented images. Their dtype must still be that of the images, for it states the range.

    Raises:
      UserError: the augmentation returns another dtype.
    """
    if augmented.dtype != images.dtype:
        raise UserError(
            f'The augmentation makes {augmented.dtype} of {images.dtype} images, and the dtype says how '
            'images are scaled. Let it end with `.astype(images.dtype)`, after `jnp.round` and `jnp.clip` if '
            'its values are fractions.'
        )
    return augmented
