"""Augmentations: run on the device, inside the training step, each image with a key of its own."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

Augmentation = Callable[[jax.Array, jax.Array], jax.Array]  # (keys [B], images [B, H, W, C]) -> images


def none(keys: jax.Array, images: jax.Array) -> jax.Array:
    """Returns the images as they are."""
    del keys
    return images


@dataclass(frozen=True)
class Shift:
    """Shifts each image by up to `pixels` in either direction; what comes in at the border is 0."""

    pixels: int = 1

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the shifted images, [B, H, W, C], of the same dtype."""
        margin = ((self.pixels, self.pixels), (self.pixels, self.pixels), (0, 0))

        def shift(key: jax.Array, image: jax.Array) -> jax.Array:
            y, x = jax.random.randint(key, (2,), 0, 2 * self.pixels + 1)
            return jax.lax.dynamic_slice(jnp.pad(image, margin), (y, x, 0), image.shape)

        return jax.vmap(shift)(keys, images)


@dataclass(frozen=True)
class Flip:
    """Mirrors each image in half of the cases.

    Args:
      horizontal: left and right may be exchanged.
      vertical: top and bottom may be exchanged, for scenes that have no up and down.
    """

    horizontal: bool = True
    vertical: bool = False

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the images [B, H, W, C], some of them mirrored."""
        allowed = jnp.array([self.vertical, self.horizontal])

        def flip(key: jax.Array, image: jax.Array) -> jax.Array:
            top_down, left_right = allowed & jax.random.bernoulli(key, shape=(2,))
            image = jnp.where(top_down, image[::-1], image)
            return jnp.where(left_right, image[:, ::-1], image)

        return jax.vmap(flip)(keys, images)
