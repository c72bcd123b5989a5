"""What the engine and your research agree on: protocols and types. Imports jax and clu alone.

Letters in shapes: B examples in a batch. A batch is a dict of arrays [B, ...]: one per field of the dataset,
and `index` (int32 [B]), in training the row in the whole batch, in evaluation and prediction the place in the
split. There `valid` (bool [B]) tells examples from the padding of a last batch.

Where each device is given its own rows of a batch (`sharding.PMap`), three functions make a task's code
the same as under `jax.jit`: `keys_by_row` for randomness, `across_devices` for means, `network.gradients`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from clu import metrics as clu_metrics

State = dict[str, Any]
Batch = Mapping[str, jax.Array]
Metrics = dict[str, clu_metrics.Average]

VALID, INDEX = 'valid', 'index'
DATA_AXIS = 'data'  # the axis of devices in a program written for each of them


@dataclass(frozen=True)
class Spec:
    """What a dataset promises of each example.

    Attributes:
      example: shape and dtype of each field of one example, without a batch axis.
      class_names: names of the classes in the order of their indices; empty where there are none.
    """

    example: Mapping[str, jax.ShapeDtypeStruct]
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """What a task's outputs are, for the outputs manifest.

    Attributes:
      kind: kind of task, one of those that `engine.outputs.outputs` knows.
      predictions: meaning of each array that `predict` returns.
      truth: for each array of known truth, the dataset's field that holds it.
      details: what else tells these outputs from others, such as the network that made their features.
      first_loss: the loss of a network that merely guesses, such as ln(classes); None where nobody knows.
      random_per_device: what makes a training step under `sharding.PMap` equal that under `Jit` in
        distribution alone, such as 'masks of Dropout'; '' where it is the same function.
    """

    kind: str
    predictions: Mapping[str, str]
    truth: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    first_loss: float | None = None
    random_per_device: str = ''


class BoundTask(Protocol):
    """A task that knows its data. All methods but `describe` are pure and run under `jax.jit`."""

    def init(self, key: jax.Array) -> State:
        """Returns the first state: nested dicts of arrays, nothing static in it; `state['params']` exists."""
        ...

    def update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after one training step, and that step's metrics."""
        ...

    def inputs(self, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns what enters the network in the training step with this batch and key, to be looked at."""
        ...

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Returns the metrics of one batch, summed over its valid examples."""
        ...

    def predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        """Returns what is saved to outputs, each array [B, ...]."""
        ...

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        ...


class Task(Protocol):
    """What to learn: built by Gin with its model and optimizer injected."""

    def bind(self, spec: Spec) -> BoundTask:
        """Returns the task for one dataset; raises `UserError` if the data lacks what the task needs."""
        ...


def average(
    values: jax.Array, valid: jax.Array | None = None, counts: jax.Array | None = None
) -> clu_metrics.Average:
    """Returns the sums of values and of counts over the valid examples; their quotient is the metric.

    Args:
      values: of each example, [B] or [B, K]. The metric of K values is the mean of their K quotients, without
        those that counted nothing: mean IoU of K classes, say.
      valid: which examples count, bool [B]; by default all.
      counts: what each value counts, shaped like `values`; by default 1.
    """
    counts = jnp.ones_like(values) if counts is None else counts
    if valid is not None:
        valid = jnp.expand_dims(valid, tuple(range(1, values.ndim)))
        # Not products, for padding may give NaN.
        values, counts = jnp.where(valid, values, 0), jnp.where(valid, counts, 0)
    total, count = values.sum(0), counts.sum(0)
    return clu_metrics.Average(total=total, count=count)  # type: ignore[call-arg] (flax.struct hides its fields)


def keys_by_row(key: jax.Array, batch: Batch) -> jax.Array:
    """Returns a key for each example, [B]: the same however the batch is split over devices."""
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(batch[INDEX])


def is_per_device() -> bool:
    """Whether this is traced for one device with rows of its own: its means are not those of the batch."""
    try:
        jax.lax.axis_index(DATA_AXIS)
    except NameError:
        return False
    return True


def across_devices(means: Any) -> Any:
    """Returns means over the rows of this device as means over the whole batch.

    Under `jax.jit` arrays are those of the whole batch, and so are their means: nothing is to be done.
    """
    return jax.lax.pmean(means, DATA_AXIS) if is_per_device() else means
