"""What the engine and your research agree on: protocols and types.

Letters in shapes: B examples in a batch. A batch is a dict of arrays [B, ...]: one for each field of the
dataset, and `index`, int32 [B]. In training, `index` is the row in the whole batch. In evaluation and
prediction it is the position in the split; there `valid`, bool [B], is False for the padding of the last
batch. The hooks of supervised tasks also see `step`, int32 [B]: the number of training steps so far.

With several parts (`datasets.Named`), training batches hold a dict for each further part, with an `index` of
its own: `batch['unlabelled']['image']`. Evaluation and prediction see the main part alone.

Under `sharding.Jit`, a task sees the whole batch. Under `sharding.PMap`, it sees the rows of one device.
Three functions make the same code right for both: `keys_by_row` for randomness, `across_devices` for means
over the batch, and `gradients.gradients`.

This module imports jax, clu and engine.errors alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from clu import metrics as clu_metrics

from engine.errors import UserError

State = dict[str, Any]
Batch = Mapping[str, Any]
Metrics = dict[str, clu_metrics.Average]

VALID, INDEX, STEP = 'valid', 'index', 'step'
DATA_AXIS = 'data'  # the mesh axis along which a batch is split
FSDP_AXIS = 'fsdp'  # the mesh axis that splits variables


@dataclass(frozen=True)
class Spec:
    """What a dataset promises of its examples.

    Attributes:
      example: shape and dtype of each field of one example, without a batch axis.
      class_names: for each field of classes, their names in the order of their indices.
      notes: what else the builder states of the dataset, such as a vocabulary, or means and deviations.
      parts: what training batches hold beside the examples of the dataset, by the name of the part.
      multiple: rows of this part for each row of the batch.
    """

    example: Mapping[str, jax.ShapeDtypeStruct]
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, 'Spec'] = field(default_factory=dict)
    multiple: int = 1

    def batch(self, rows: int) -> dict[str, Any]:
        """Returns the shapes and dtypes of a training batch, without `step`."""
        fields = {
            name: jax.ShapeDtypeStruct((rows, *field.shape), field.dtype)
            for name, field in self.example.items()
        }
        parts = {name: part.batch(rows * part.multiple) for name, part in self.parts.items()}
        return {**fields, **parts, INDEX: jax.ShapeDtypeStruct((rows,), jnp.int32)}

    def require(self, task: str, *fields: str) -> None:
        """Raises `UserError`, with the name of the task, if the dataset lacks one of the fields."""
        missing = next((name for name in fields if name not in self.example), None)
        if missing is not None:
            has = ', '.join(self.example)
            there = f'the dataset has: {has}' if has else 'without a dataset, a batch has no fields'
            raise UserError(f'{task} needs the field {missing!r}; {there}.')

    def require_classes(self, task: str, field: str, remedy: str) -> None:
        """Raises `UserError`, with the task's name and a remedy, if the classes of a field have no names."""
        if self.class_names.get(field):
            return
        others = ' and '.join(repr(name) for name, names in self.class_names.items() if names)
        named = f'those of {others} have names' if others else 'no field names any'
        raise UserError(f'{task} needs the classes of {field!r}; in this dataset {named}: {remedy}.')

    def label_field(self, description: 'Description') -> str:
        """Returns the field of a task's labels: of its truth, the field whose classes have names.

        Without such a field it is the first one of the truth. A task without truth gets the only field of the
        dataset whose classes have names. '' if there is none.
        """
        named = [name for name, names in self.class_names.items() if names]
        truth = list(description.truth.values())
        if truth:
            return next((name for name in truth if name in named), truth[0])
        return named[0] if len(named) == 1 else ''

    def task_classes(self, description: 'Description') -> tuple[str, ...]:
        """Returns the names of the classes of a task's label field, () if it has none."""
        return tuple(self.class_names.get(self.label_field(description), ()))


@dataclass(frozen=True)
class Description:
    """What the outputs manifest says of a task's predictions.

    Attributes:
      kind: kind of the outputs, such as 'classification': a folder in engine/kinds/ or research/kinds/.
      predictions: meaning of each array that `predict` returns.
      truth: for each array of labels, the dataset's field that holds it.
      class_names: names of the classes, if no field of the truth has them; () to take those of the dataset.
      category_ids: id of each class in COCO's files; COCO's own ids have gaps.
      ignore_label: value of pixels in the targets that do not count, or None.
      details: what else distinguishes these outputs, such as the network that computed their features.
      decode: returns the text of token ids, or its bytes, as `Vocabulary.decode_bytes` does, for kinds that
        hold texts; None if tokens are bytes.
      first_loss: expected loss before training, such as ln(classes); None if it is unknown.
      random_per_device: randomness that `sharding.PMap` and `sharding.Jit` do not share, or ''.
    """

    kind: str
    predictions: Mapping[str, str]
    truth: Mapping[str, str] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    category_ids: tuple[int, ...] = ()
    ignore_label: int | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    decode: Callable[[Sequence[int]], str | bytes] | None = None
    first_loss: float | None = None
    random_per_device: str = ''

    def __post_init__(self) -> None:
        for name in ('predictions', 'truth', 'details'):
            if not isinstance(value := getattr(self, name), Mapping):
                raise UserError(
                    f'Description.{name} is a value of type {type(value).__name__}, but a dict of names and '
                    'texts is needed.'
                )


class BoundTask(Protocol):
    """A task that knows its dataset. All methods but `describe` are pure and run under `jax.jit`."""

    def init_model(self, key: jax.Array) -> tuple[State, State]:
        """Returns the first parameters and model state (such as batch statistics): nested dicts of arrays."""
        ...

    def init_training(self, params: State, model_state: State) -> State:
        """Returns the first state: nested dicts of arrays and nothing static.

        Averages and optimizer state begin from the parameters, which may come from another run.

        Args:
          params: as `init_model` returns them; the state holds them as `state['params']`.
          model_state: as `init_model` returns it.
        """
        ...

    def update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after one training step, and the metrics of that step."""
        ...

    def debug_inputs(self, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns what enters the network in the training step with this batch and key; each [B, ...]."""
        ...

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Returns the metrics of one batch, summed over its valid examples."""
        ...

    def predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        """Returns the arrays to save as outputs, each [B, ...]."""
        ...

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        ...

    # A bound task may also have:
    #   predict_augmented(state, batch, key) -> {array name: predictions [B, ...]} under a random augmentation
    #   of the inputs that leaves targets as they are, for `scripts/predict.sh --augmentations`;
    #   pictures(state, key) -> {name: uint8 or f32 [N, H, W, 1 or 3]}, as `Trainer.pictures_every` says;
    #   parameter_groups() -> {path of a parameter: how it is trained, in words}, for `--dry_run`;
    #   evaluation_model(state) -> the Flax model in evaluation mode, or several by name, for `load_run`.


class Task(Protocol):
    """What to learn: Gin builds it, with its model and optimizer injected."""

    def bind(self, spec: Spec) -> BoundTask:
        """Returns the task for one dataset; raises `UserError` if the dataset lacks what the task needs."""
        ...


def average(
    values: jax.Array, valid: jax.Array | None = None, counts: jax.Array | None = None
) -> clu_metrics.Average:
    """Returns a metric: the sums of values and counts over the valid examples. Their quotient is its value.

    >>> accuracy = average(jnp.array([1.0, 0.0, 1.0]), valid=jnp.array([True, True, False]))
    >>> float(accuracy.total), float(accuracy.count)
    (1.0, 2.0)

    Args:
      values: values of the examples, f32 [B] or [B, K]. The metric of K columns is the mean of their K
        quotients, such as the mean IoU of K classes. Columns with a count of 0 are left out.
      valid: which examples count, bool [B]; all by default.
      counts: denominators, shaped like `values`; 1 by default.
    """
    counts = jnp.ones_like(values) if counts is None else counts
    if valid is not None:
        valid = jnp.expand_dims(valid, tuple(range(1, values.ndim)))
        # Not a product: padding may hold NaN.
        values, counts = jnp.where(valid, values, 0), jnp.where(valid, counts, 0)
    total, count = values.sum(0), counts.sum(0)
    return clu_metrics.Average(total=total, count=count)  # type: ignore[call-arg] (flax.struct hides its fields)


def keys_by_row(key: jax.Array, batch: Batch) -> jax.Array:
    """Returns a random key for each example, [B]. It depends on `batch['index']`, not on the device.

    >>> keys = keys_by_row(jax.random.key(0), {'index': jnp.arange(8, dtype=jnp.int32)})
    >>> jax.vmap(jax.random.uniform)(keys).shape
    (8,)
    """
    return jax.vmap(lambda index: jax.random.fold_in(key, index))(batch[INDEX])


def is_per_device() -> bool:
    """Whether the code is traced for one device and its rows, so that a mean is not one over the batch."""
    try:
        jax.lax.axis_index(DATA_AXIS)
    except NameError:
        return False
    return True


def gathered(variables: Any) -> Any:
    """Returns variables whole on each device, inside a program in which `sharding.Jit.fsdp` splits them.

    Without it, XLA may split activations as it splits variables. They can then take far more memory.
    """
    if jax.sharding.get_abstract_mesh().shape.get(FSDP_AXIS, 1) == 1:
        return variables
    return jax.lax.with_sharding_constraint(variables, jax.sharding.PartitionSpec())


def across_devices(means: Any) -> Any:
    """Returns means over the whole batch from means over the rows of this device.

    Under `sharding.Jit` a mean is over the whole batch already, and comes back as it is:

    >>> float(across_devices(jnp.array([1.0, 3.0]).mean()))
    2.0
    """
    return jax.lax.pmean(means, DATA_AXIS) if is_per_device() else means
