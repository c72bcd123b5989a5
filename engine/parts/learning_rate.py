"""Learning rates: a number or a schedule, and the rate of a step, which tasks log."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

LearningRate = float | Callable[[Any], Any]  # a number, or a schedule: step -> number


def at_step(rate: LearningRate, step: jax.Array) -> jax.Array:
    """Returns the learning rate of a step, int32 [], as float32 [].

    Examples:
      >>> import jax.numpy as jnp
      >>> float(at_step(lambda step: 0.5**step, jnp.asarray(2)))
      0.25
    """
    return jnp.asarray(rate(step) if callable(rate) else rate, float)
