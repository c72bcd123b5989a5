"""Learning rates: a number, a schedule or none, and the rate of a step, which tasks log."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from engine.errors import UserError

# A number, a schedule (step -> number), or None for optimizers that find their own, such as optax.lbfgs.
LearningRate = float | Callable[[Any], Any] | None


def at_step(rate: LearningRate, step: jax.Array) -> jax.Array:
    """Returns the learning rate of a step, int32 [], as float32 [].

    Examples:
      >>> import jax.numpy as jnp
      >>> float(at_step(lambda step: 0.5**step, jnp.asarray(2)))
      0.25
    """
    value = rate(step) if callable(rate) else rate
    if callable(value):
        name = getattr(rate, '__name__', type(rate).__name__)
        raise UserError(f'{name} gives a function where a rate is wanted: write {name}() to call it.')
    return jnp.asarray(value, float)


def checked(rate: LearningRate) -> LearningRate:
    """Returns a learning rate after checking that it gives a number.

    Raises:
      UserError: it gives a function, because a maker of schedules was not called.
    """
    if rate is not None:
        jax.eval_shape(partial(at_step, rate), jax.ShapeDtypeStruct((), jnp.int32))
    return rate


def scaled(rate: LearningRate, factor: float) -> LearningRate:
    """Returns a learning rate multiplied by a factor, at each step of a schedule.

    >>> scaled(0.5, 0.1)
    0.05
    """
    if rate is None or factor == 1:
        return rate
    return (lambda step: factor * rate(step)) if callable(rate) else factor * rate
