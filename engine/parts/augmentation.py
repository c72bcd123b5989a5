"""Augmentations: run on the device, inside the training step, each image with a key of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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
        return Crop(self.pixels)(keys, images)


@dataclass(frozen=True)
class Crop:
    """Takes a part of each image, as large as the image, after a border was added. He et al. 2015.

    Source: https://arxiv.org/abs/1512.03385, 4.2, with 4 pixels of zeros for CIFAR-10.

    Args:
      padding: width of the border, pixels.
      border: what it holds: 'constant' is 0, 'edge' repeats the last pixel, 'reflect' mirrors the image.
    """

    padding: int = 4
    border: Literal['constant', 'edge', 'reflect'] = 'constant'

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns parts of the images, [B, H, W, C], of the same dtype."""
        margin = ((0, 0), (self.padding, self.padding), (self.padding, self.padding), (0, 0))

        def cut(key: jax.Array, padded: jax.Array) -> jax.Array:
            y, x = jax.random.randint(key, (2,), 0, 2 * self.padding + 1)
            return jax.lax.dynamic_slice(padded, (y, x, 0), images.shape[1:])

        return jax.vmap(cut)(keys, jnp.pad(images, margin, self.border))


@dataclass(frozen=True)
class Chain:
    """Several augmentations, one after another, each with keys of its own.

    Args:
      augmentations: in their order.
    """

    augmentations: tuple[Augmentation, ...]

    def __call__(self, keys: jax.Array, images: jax.Array) -> jax.Array:
        """Returns the images [B, H, W, C] after all of them."""
        for index, augment in enumerate(self.augmentations):
            images = augment(jax.vmap(lambda key, index=index: jax.random.fold_in(key, index))(keys), images)
        return images


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
