"""Grey values, and tables from the values of an image to new ones, in whole numbers as in Pillow."""

import jax
import jax.numpy as jnp


def grey(image: jax.Array) -> jax.Array:
    """Returns the grey values of an image uint8 [H, W, C], int32 [H, W, 1]. A single channel is grey."""
    if image.shape[-1] == 1:
        return image.astype(jnp.int32)
    own = image.astype(jnp.int32)
    # The weights of ITU-R BT.601, times 65536.
    return 19595 * own[..., :1] + 38470 * own[..., 1:2] + 7471 * own[..., 2:] + 2**15 >> 16


def mean_grey(image: jax.Array) -> jax.Array:
    """Returns the mean grey value of an image uint8 [H, W, C], a whole number, f32 []."""
    values = grey(image)
    return ((2 * values.astype(jnp.uint32).sum() + values.size) // (2 * values.size)).astype(jnp.float32)


def stretched(image: jax.Array) -> jax.Array:
    """Returns the tables that stretch the values of each channel to 0 to 255, int32 [C, 256].

    A channel with a single value stays as it is.
    """
    low, high = (extreme((0, 1)).astype(jnp.int32)[:, None] for extreme in (image.min, image.max))
    values = jnp.arange(256)[None]
    table = jnp.clip((values - low) * 255 // jnp.maximum(high - low, 1), 0, 255)
    return jnp.where(high > low, table, values)


def equalized(image: jax.Array) -> jax.Array:
    """Returns the tables that make the values of each channel equally frequent, int32 [C, 256].

    A channel stays as it is if fewer than 255 of its pixels are below its highest value.
    """
    channels = image.shape[-1]
    counts = jnp.zeros((channels, 256), jnp.int32).at[jnp.arange(channels)[None, None], image].add(1)
    of_highest = jnp.take_along_axis(counts, image.max((0, 1)).astype(jnp.int32)[:, None], 1)
    step = (counts.sum(1, keepdims=True) - of_highest) // 255
    below = jnp.cumsum(counts, 1) - counts
    table = jnp.minimum((below + step // 2) // jnp.maximum(step, 1), 255)
    return jnp.where(step > 0, table, jnp.arange(256)[None])
