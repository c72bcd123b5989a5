"""The rows of a batch: their number, the step in each of them, and sums of metrics over them."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from engine.interfaces import INDEX, STEP, Batch, Metrics, average


def at_step(batch: Batch, steps: jax.Array) -> Batch:
    """Returns a batch with `step`, the number of training steps so far, in each row of each part."""
    parts = {name: at_step(part, steps) for name, part in batch.items() if isinstance(part, Mapping)}
    return {**batch, **parts, STEP: jnp.full(count(batch), steps)}


def count(batch: Batch) -> int:
    """Returns the number of rows of a batch."""
    return (batch[INDEX] if INDEX in batch else next(iter(batch.values()))).shape[0]  # len() needs a number


def averages(metrics: dict[str, Any], valid: jax.Array | None = None) -> Metrics:
    """Returns the sums of per-example metrics over the valid examples."""
    pairs = {name: value if isinstance(value, tuple) else (value, None) for name, value in metrics.items()}
    return {name: average(values, valid, counts) for name, (values, counts) in pairs.items()}
