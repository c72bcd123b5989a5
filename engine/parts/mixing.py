"""Mixing of images and their labels, inside the training step: each image with the one in the row before it.

Under `sharding.PMap`, the row before is one of the same device. The pairs then differ from those of the whole
batch, and `Description.random_per_device` says so. A config that mixes tells the checks in its header: `#
exception: augmentation - pairs are mixed`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

# (keys [B], images uint8 [B, H, W, C]) -> (mixed images, share of each image in its mixture, f32 [B])
Mix = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def partners(rows: jax.Array) -> jax.Array:
    """Returns the partner of each row, [B, ...]: the row before it.

    >>> partners(jnp.array([0, 1, 2])).tolist()
    [2, 0, 1]
    """
    return jnp.roll(rows, 1, axis=0)


@dataclass(frozen=True)
class Mixup:
    """Averages pairs of images, with random weights. Zhang et al. 2017, https://arxiv.org/abs/1710.09412.

    >>> images, shares = Mixup()(jax.random.split(jax.random.key(0), 4), jnp.zeros((4, 8, 8, 3), jnp.uint8))
    >>> images.dtype.name, shares.shape
    ('uint8', (4,))

    Args:
      alpha: the weights follow Beta(alpha, alpha): near 0 or 1 for a small alpha, about 1/2 for a large one.
    """

    alpha: float = 0.2

    def __call__(self, keys: jax.Array, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns mixed images, uint8 [B, H, W, C], and the share of each image in its mixture, f32 [B]."""
        shares = _shares(keys, self.alpha)
        weights, pixels = shares[:, None, None, None], images.astype(jnp.float32)
        mixed = weights * pixels + (1 - weights) * partners(pixels)
        return jnp.round(mixed).astype(images.dtype), shares


@dataclass(frozen=True)
class CutMix:
    """Pastes a rectangle of its partner into each image. Yun et al. 2019, https://arxiv.org/abs/1905.04899.

    >>> images, shares = CutMix()(jax.random.split(jax.random.key(0), 4), jnp.zeros((4, 8, 8, 3), jnp.uint8))
    >>> images.dtype.name, shares.shape
    ('uint8', (4,))

    Args:
      alpha: the shares follow Beta(alpha, alpha); the default is the uniform distribution.
    """

    alpha: float = 1.0

    def __call__(self, keys: jax.Array, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns mixed images, uint8 [B, H, W, C], and the share of each image in its mixture, f32 [B]."""
        height, width = images.shape[1:3]
        sides = jnp.sqrt(1 - _shares(keys, self.alpha))
        kept = jax.vmap(partial(_outside, height=height, width=width))(keys, sides)
        return jnp.where(kept[..., None], images, partners(images)), kept.mean((1, 2), dtype=jnp.float32)


def _shares(keys: jax.Array, alpha: float) -> jax.Array:
    return jax.vmap(lambda key: jax.random.beta(key, alpha, alpha))(keys)


def _outside(key: jax.Array, side: jax.Array, height: int, width: int) -> jax.Array:
    """Returns which pixels are outside a random rectangle, bool [height, width].

    The rectangle's sides are `side` times those of the image. Its centre is anywhere in the image, so a part
    of the rectangle may be cut off.
    """
    centre = jax.random.uniform(jax.random.fold_in(key, 1), (2,))

    def is_inside(size: int, centre: jax.Array) -> jax.Array:
        low, high = (jnp.round(size * (centre + sign * side / 2)) for sign in (-1, 1))
        pixels = jnp.arange(size, dtype=jnp.float32)
        return (pixels >= low) & (pixels < high)

    return ~(is_inside(height, centre[0])[:, None] & is_inside(width, centre[1])[None])
