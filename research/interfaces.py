"""What the engine and your research agree on: protocols and types. Imports jax, flax and clu alone.

Letters in shapes: B examples in a batch. A batch is a dict of arrays [B, ...], one per field of the dataset;
in evaluation and prediction its field `valid` (bool [B]) tells examples from the padding of a last batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from clu import metrics as clu_metrics
from flax import nnx

State = dict[str, Any]
Batch = Mapping[str, jax.Array]
Metrics = dict[str, clu_metrics.Average]

VALID = 'valid'


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
      kind: kind of task, one of those that `research.outputs` knows.
      predictions: meaning of each array that `predict` returns.
      truth: for each array of known truth, the dataset's field that holds it.
    """

    kind: str
    predictions: Mapping[str, str]
    truth: Mapping[str, str] = field(default_factory=dict)


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


def average(values: jax.Array, valid: jax.Array | None = None) -> clu_metrics.Average:
    """Returns the sum and the count of per-example values [B], over the valid ones."""
    valid = jnp.ones_like(values, bool) if valid is None else valid
    total = jnp.sum(jnp.where(valid, values, 0))  # not a product, for padding may give NaN
    count = jnp.sum(valid.astype(values.dtype))
    return clu_metrics.Average(total=total, count=count)  # type: ignore[call-arg] (flax.struct hides its fields)


class Network:
    """A Flax NNX model as a function: its graphs stay here, its arrays travel.

    Args:
      build: makes the model from its random streams, as `lambda rngs: ConvNet(..., rngs=rngs)`.
    """

    def __init__(self, build: Callable[[nnx.Rngs], nnx.Module]):
        self._build = build
        model = nnx.eval_shape(lambda: build(nnx.Rngs(0)))
        self._training, _, self._random, _ = _split(model, training=True)
        self._evaluation, *_ = _split(model, training=False)

    def init(self, key: jax.Array) -> tuple[State, State]:
        """Returns (parameters, the rest: batch statistics and the like), nested dicts of arrays."""
        _, params, _, rest = _split(self._build(nnx.Rngs(key)), training=True)
        return params, rest

    def __call__(
        self, params: State, rest: State, x: jax.Array, key: jax.Array | None = None
    ) -> tuple[Any, State]:
        """Returns (the model's output, the rest as the call left it). A key means training."""
        graph = self._evaluation if key is None else self._training
        random = self._random_state(jax.random.key(0) if key is None else key)
        # A copy, so that updating random state and statistics inside a gradient touches nothing outside it.
        model = nnx.merge(graph, params, random, rest, copy=True)
        output = model(x)
        return output, _split(model, training=key is not None)[3]

    def _random_state(self, key: jax.Array) -> State:
        """Returns the state of every random stream: keys drawn from `key`, counts at zero."""
        leaves, tree = jax.tree.flatten(self._random)
        fresh = [
            jax.random.fold_in(key, index)
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            else jnp.zeros(leaf.shape, leaf.dtype)
            for index, leaf in enumerate(leaves)
        ]
        return jax.tree.unflatten(tree, fresh)


def _split(model: nnx.Module, training: bool) -> tuple[Any, State, State, State]:
    """Returns (graph, parameters, random state, rest) of a model in training or evaluation mode."""
    model.train() if training else model.eval()
    graph, *states = nnx.split(model, nnx.Param, nnx.RngState, ...)
    params, random, rest = (nnx.to_pure_dict(state) for state in states)
    return graph, params, random, rest
