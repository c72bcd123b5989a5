"""Scales images to the range that networks expect."""

import jax
import jax.numpy as jnp

from engine.errors import UserError


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
    if images.dtype not in (jnp.uint8, jnp.uint16):
        raise UserError(
            f'Images of the dtype {images.dtype} cannot be scaled to -1 to 1, because it does not say which '
            'value is white. Let the dataset hold them as uint8 (0 to 255), as uint16 (0 to 65535), or as '
            'float32 in about -1 to 1; or override the method `inputs` of the task.'
        )
    return images.astype(jnp.float32) / (jnp.iinfo(images.dtype).max / 2) - 1


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
