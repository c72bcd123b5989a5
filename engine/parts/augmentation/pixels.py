"""What augmentations of colours share: the check of their images, grey values, and blends of two images."""

import jax
import jax.numpy as jnp

from engine.errors import UserError

GREY = (0.299, 0.587, 0.114)  # weights of red, green and blue, after ITU-R BT.601
WHITE = {jnp.dtype(dtype): jnp.iinfo(dtype).max for dtype in (jnp.uint8, jnp.uint16)}


def check_images(name: str, images: jax.Array, dtypes: tuple[str, ...] = ('uint8', 'uint16')) -> None:
    """Raises `UserError` unless images [B, H, W, C] are grey or RGB, and of a dtype that states their range.

    Args:
      name: of the augmentation, for the message.
      images: the images.
      dtypes: those that the augmentation takes.
    """
    if images.dtype.name not in dtypes:
        raise UserError(
            f'{name} takes images of dtype {" or ".join(dtypes)}, but these are {images.dtype}, a dtype that '
            f'does not say which values are black and white. Store the images as {dtypes[0]}, or leave '
            f'{name} out.'
        )
    if images.shape[-1] not in (1, 3):
        raise UserError(
            f'{name} takes grey and RGB images, with 1 or 3 channels, but these have {images.shape[-1]}. '
            f'Leave {name} out.'
        )


def blend(first: jax.Array, second: jax.Array, share: jax.Array, white: float) -> jax.Array:
    """Returns first + share (second - first), limited to 0 to `white`. A share above 1 extrapolates."""
    return jnp.clip(first + share * (second - first), 0, white)


def grey(image: jax.Array) -> jax.Array:
    """Returns the grey values of images f32 [..., C], f32 [..., 1]. A single channel is grey."""
    if image.shape[-1] == 1:
        return image
    red, green, blue = (weight * image[..., index, None] for index, weight in enumerate(GREY))
    return red + green + blue
