"""Texts of varying length in arrays of one shape: which tokens are text, and means over them.

Padding counts for nothing if a model cannot see it (`Transformer` masks it) and a loss leaves it out.
"""

import jax
import jax.numpy as jnp


def is_text(lengths: jax.Array, size: int) -> jax.Array:
    """Returns which tokens are not padding, bool [B, size].

    >>> is_text(jnp.array([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]

    Args:
      lengths: number of tokens of each text, int32 [B].
      size: number of tokens with padding.
    """
    return jnp.arange(size)[None] < lengths[:, None]


def mean(values: jax.Array, lengths: jax.Array) -> jax.Array:
    """Returns the mean over the tokens of each text, f32 [B, ...]; 0 for a text without tokens.

    >>> mean(jnp.array([[1.0, 9.0], [1.0, 3.0]]), jnp.array([1, 2])).tolist()
    [1.0, 2.0]

    Args:
      values: of each token, f32 [B, L, ...].
      lengths: number of tokens of each text, int32 [B].
    """
    axes = tuple(range(2, values.ndim))
    inside = jnp.expand_dims(is_text(lengths, values.shape[1]), axes)
    # Not a product: padding may hold NaN.
    total = jnp.where(inside, values, 0).sum(1)
    return total / jnp.expand_dims(jnp.maximum(lengths, 1).astype(values.dtype), tuple(range(1, total.ndim)))
