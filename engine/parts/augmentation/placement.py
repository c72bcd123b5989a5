"""Shifts, crops and flips of images."""

from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp


@dataclass(frozen=True)
class Shift:
    """Shifts each image by up to `pixels` in each direction, and fills the border with 0.

    >>> images = jnp.ones((2, 8, 8, 3), jnp.uint8)
    >>> Shift(pixels=1)(jax.random.split(jax.random.key(0), 2), images).shape
    (2, 8, 8, 3)

    Args:
      pixels: largest shift, pixels.
    """

    pixels: int = 1

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the shifted images, [B, H, W, C], of the same dtype, for keys [B]."""
        return Crop(self.pixels)(keys, images)


@dataclass(frozen=True)
class Crop:
    """Pads each image, then crops it at random to its size. He et al. 2015.

    >>> images = jnp.ones((2, 32, 32, 3), jnp.uint8)
    >>> Crop(padding=4, border='reflect')(jax.random.split(jax.random.key(0), 2), images).shape
    (2, 32, 32, 3)

    Source: https://arxiv.org/abs/1512.03385, section 4.2, which pads CIFAR-10 with 4 pixels of zeros.

    Args:
      padding: width of the border, pixels.
      border: content of the border: 'constant' is 0, 'edge' repeats the last pixel, 'reflect' mirrors the
        image.
    """

    padding: int = 4
    border: Literal['constant', 'edge', 'reflect'] = 'constant'

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the crops, [B, H, W, C], of the same dtype, for keys [B]."""
        margin = ((0, 0), (self.padding, self.padding), (self.padding, self.padding), (0, 0))

        def crop(key: jax.Array, padded: jax.Array) -> jax.Array:
            y, x = jax.random.randint(key, (2,), 0, 2 * self.padding + 1)
            return jax.lax.dynamic_slice(padded, (y, x, 0), images.shape[1:])

        return jax.vmap(crop)(keys, jnp.pad(images, margin, self.border))


@dataclass(frozen=True)
class Flip:
    """Mirrors each image with probability 1/2.

    >>> images = jnp.arange(4).reshape(1, 1, 4, 1)
    >>> Flip()(jax.random.split(jax.random.key(1), 1), images).ravel().tolist()
    [3, 2, 1, 0]

    Args:
      horizontal: swap left and right.
      vertical: swap top and bottom, for scenes without an up and down.
    """

    horizontal: bool = True
    vertical: bool = False

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the images [B, H, W, C], some of them mirrored, for keys [B]."""
        allowed = jnp.array([self.vertical, self.horizontal])

        def flip(key: jax.Array, image: jax.Array) -> jax.Array:
            top_down, left_right = allowed & jax.random.bernoulli(key, shape=(2,))
            image = jnp.where(top_down, image[::-1], image)
            return jnp.where(left_right, image[:, ::-1], image)

        return jax.vmap(flip)(keys, images)
