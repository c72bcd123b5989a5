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
