"""The programs that run on the devices, compiled ahead of the first step."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine import sharding
from engine.interfaces import Batch, BoundTask, Metrics, State, average
from engine.runs import faults
from engine.sharding import Parallelism
from engine.training.batches.source import BatchSource
from engine.workspace import workspace

INIT, TRAIN = 0, 1  # streams of randomness: a key is a function of (seed, stream, step), and none is stored

Shapes = Any
Compiled = Callable[..., Any]


def keep_compiled() -> None:
    """Keeps what XLA compiles in the workspace: the next start of the same program compiles nothing."""
    jax.config.update('jax_compilation_cache_dir', str(workspace() / 'cache' / 'xla'))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


def key(seed: int, stream: int, step: int | jax.Array = 0) -> jax.Array:
    """Returns the key of a step of a stream."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), stream), step)


@dataclass(frozen=True)
class Traced:
    """A task's functions, traced on shapes and not yet compiled.

    Attributes:
      update: by number of steps, (state, fed, step int32) -> (state, metrics, each total and count [steps]).
      evaluate: (state, batch) -> metrics.
      predict: (state, batch) -> predictions.
    """

    update: Mapping[int, jax.stages.Traced]
    evaluate: jax.stages.Traced
    predict: jax.stages.Traced


class Programs:
    """A bound task's functions as programs over the devices.

    Args:
      bound: the task.
      devices: where arrays live.
      seed: of all randomness.
      skip_nonfinite: leaves the state as it is at a step with a metric that is no finite number.
    """

    def __init__(self, bound: BoundTask, devices: Parallelism, seed: int, skip_nonfinite: bool = False):
        self._bound, self._devices, self._seed = bound, devices, seed
        self._guarded = _skipping(self._step) if skip_nonfinite else self._step
        self._whole, self._rows = sharding.replicated(devices.mesh), sharding.batch_sharding(devices.mesh)

    @cached_property
    def state_shapes(self) -> Shapes:
        """The state's shapes, dtypes and shardings."""
        shapes = jax.eval_shape(self._bound.init, jax.random.key(0))
        return self._devices.state(shapes)

    @property
    def _state(self) -> Any:
        """The shardings of the state."""
        return jax.tree.map(lambda leaf: leaf.sharding, self.state_shapes)

    def trace(self, source: BatchSource, batch: Mapping[str, Any], counts: Iterable[int]) -> Traced:
        """Traces all functions of the task, which runs nothing: what cannot work fails here.

        Args:
          source: of the training batches.
          batch: one for evaluation and prediction.
          counts: steps per call of the training program.

        Raises:
          TypeError: if a training step returns another structure, shape or dtype of state than it was given.
        """
        rows = sharding.abstract_sharded(batch, self._rows)
        update = {}
        for count in counts:  # one step first, for what is wrong with it shows best there
            update[count] = self._update(count, source)
        given = self.state_shapes, rows
        evaluate = self._devices.trace(self._evaluate, given, self._whole)
        predict = self._devices.trace(self._bound.predict, given, self._rows)
        return Traced(update, evaluate, predict)

    def _step(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns a step's state and metrics, these of the whole batch."""
        changed, metrics = self._bound.update(state, batch, key)
        _check_same(state, changed)
        return changed, sharding.sum_across_devices(metrics)

    def _evaluate(self, state: State, batch: Batch) -> Metrics:
        return sharding.sum_across_devices(self._bound.evaluate(state, batch))

    def _update(self, count: int, source: BatchSource) -> jax.stages.Traced:
        """Traces `count` training steps."""

        def one(state: State, fed: Any, index: Any, step: jax.Array) -> tuple[State, Metrics]:
            batch = self._devices.batch(source.batch(fed, index))
            return self._guarded(state, batch, key(self._seed, TRAIN, step + index))

        def run(state: State, fed: Any, step: jax.Array) -> tuple[State, Metrics]:
            if count == 1:  # XLA compiles the body of a loop, even of one turn, into other bits
                state, metrics = one(state, fed, 0, step)
                return state, jax.tree.map(lambda x: x[None], metrics)
            # XLA's loops run their bodies on one thread of a CPU; elsewhere they cost nothing.
            unroll = count if jax.default_backend() == 'cpu' else 1
            return jax.lax.scan(lambda s, i: one(s, fed, i, step), state, jnp.arange(count), unroll=unroll)

        step = sharding.abstract_sharded(np.int32(0), self._whole)
        given = self.state_shapes, source.shapes(count), step
        return self._devices.trace(run, given, (self._state, self._whole), donate=(0,))

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, jax.Array]:
        """Returns what enters the network at the first step, whose batch this is."""
        return jax.jit(self._bound.inputs)(batch, key(self._seed, TRAIN, 0))

    def init(self) -> State:
        """Returns the first state, on the devices."""
        return jax.jit(lambda: self._bound.init(key(self._seed, INIT)), out_shardings=self._state)()


Update = Callable[[State, Batch, jax.Array], tuple[State, Metrics]]


def _skipping(update: Update) -> Update:
    """Returns an update that changes nothing where a metric is not finite, and counts that as `skipped`."""

    def guarded(state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        changed, metrics = update(state, batch, key)
        finite = jnp.all(jnp.stack([jnp.isfinite(each.total).all() for each in metrics.values()]))
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), changed, state)
        return kept, metrics | {'skipped': average(1 - finite.astype(jnp.float32)[None])}

    return guarded


def _check_same(before: Shapes, after: Shapes) -> None:
    """Raises `TypeError` that names the first leaf of the state that a step has changed in kind."""
    old, new = (
        {path: (leaf.shape, leaf.dtype) for path, leaf in jax.tree_util.tree_flatten_with_path(each)[0]}
        for each in (before, after)
    )
    for path in [*old, *new]:
        if old.get(path) != new.get(path):
            name = jax.tree_util.keystr(path)
            raise TypeError(f'update() turns state{name} from {old.get(path)} into {new.get(path)}.')


def compiled(traced: jax.stages.Traced) -> Compiled:
    """Compiles a traced function."""
    faults.point('compile')
    return traced.lower().compile()
