"""Mixing of images and their labels, pair by pair, inside the training step: each with the one before it.

A pair is two rows that lie together. Where each device has rows of its own (`sharding.PMap`), pairs differ
from those of the whole batch: the same in distribution alone, as `Description.random_per_device` says.
The header of a config that mixes tells the checks so: `#   exception: augmentation - pairs are mixed`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

# (keys [B], images uint8 [B, H, W, C]) -> (images, share of each image that is its own, f32 [B])
Mix = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def partners(rows: jax.Array) -> jax.Array:
    """Returns for each row [B, ...] the one that it is mixed with."""
    return jnp.roll(rows, 1, axis=0)


@dataclass(frozen=True)
class Mixup:
    """Means of two images, weighted at random. Zhang et al. 2017, https://arxiv.org/abs/1710.09412.

    Args:
      alpha: weights are drawn from Beta(alpha, alpha): near 0 or 1 if it is small, about 1/2 if large.
    """

    alpha: float = 0.2

    def __call__(self, keys: jax.Array, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns images uint8 [B, H, W, C], and the share of each that is its own, f32 [B]."""
        shares = _shares(keys, self.alpha)
        own = shares[:, None, None, None]
        mixed = own * images + (1 - own) * partners(images)
        return jnp.round(mixed).astype(images.dtype), shares


@dataclass(frozen=True)
class CutMix:
    """A rectangle of another image in each. Yun et al. 2019, https://arxiv.org/abs/1905.04899.

    Args:
      alpha: shares are drawn from Beta(alpha, alpha); by 1 each is as likely as any other.
    """

    alpha: float = 1.0

    def __call__(self, keys: jax.Array, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns images uint8 [B, H, W, C], and the share of each that is its own, f32 [B]."""
        height, width = images.shape[1:3]
        sides = jnp.sqrt(1 - _shares(keys, self.alpha))
        own = jax.vmap(partial(_outside, height=height, width=width))(keys, sides)
        return jnp.where(own[..., None], images, partners(images)), own.mean((1, 2), dtype=jnp.float32)


def _shares(keys: jax.Array, alpha: float) -> jax.Array:
    return jax.vmap(lambda key: jax.random.beta(key, alpha, alpha))(keys)


def _outside(key: jax.Array, side: jax.Array, height: int, width: int) -> jax.Array:
    """Returns what lies outside a rectangle, bool [height, width].

    Its sides are `side` times those of the image; its middle is anywhere, so that a part may lie beyond it.
    """
    middle = jax.random.uniform(jax.random.fold_in(key, 1), (2,))

    def is_inside(pixels: int, middle: jax.Array) -> jax.Array:
        low, high = (jnp.round(pixels * (middle + sign * side / 2)) for sign in (-1, 1))
        places = jnp.arange(pixels)
        return (places >= low) & (places < high)

    return ~(is_inside(height, middle[0])[:, None] & is_inside(width, middle[1])[None])
