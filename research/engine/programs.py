"""The programs that run on the devices, compiled ahead of the first step."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.engine import faults
from research.engine.inputs import Source
from research.engine.parallelism import Jit
from research.engine.workspace import workspace
from research.interfaces import Batch, BoundTask, Metrics, State, average

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
      parallelism: where arrays live.
      seed: of all randomness.
      skip_nonfinite: leaves the state as it is at a step with a metric that is no finite number.
    """

    def __init__(self, bound: BoundTask, parallelism: Jit, seed: int, skip_nonfinite: bool = False):
        self._bound, self._parallelism, self._seed = bound, parallelism, seed
        self._guarded = _skipping(bound.update) if skip_nonfinite else bound.update

    @cached_property
    def state_shapes(self) -> Shapes:
        """The state's shapes, dtypes and shardings."""
        shapes = jax.eval_shape(self._bound.init, jax.random.key(0))
        return self._parallelism.shapes(shapes, self._parallelism.replicated)

    def trace(self, source: Source, batch: Mapping[str, Any], counts: Iterable[int]) -> Traced:
        """Traces all functions of the task, which runs nothing: what cannot work fails here.

        Args:
          source: of the training batches.
          batch: one for evaluation and prediction.
          counts: steps per call of the training program.

        Raises:
          TypeError: if a training step returns another structure, shape or dtype of state than it was given.
        """
        shapes = self._parallelism.shapes(batch, self._parallelism.split())
        update = {}
        for count in counts:  # one step first, for what is wrong with it shows best there
            update[count] = self._update(count, source)
            _check_same(self.state_shapes, update[count].out_info[0])
        evaluate = jax.jit(self._bound.evaluate, out_shardings=self._parallelism.replicated)
        predict = jax.jit(self._bound.predict, out_shardings=self._parallelism.split())
        return Traced(
            update, evaluate.trace(self.state_shapes, shapes), predict.trace(self.state_shapes, shapes)
        )

    def _update(self, count: int, source: Source) -> jax.stages.Traced:
        """Traces `count` training steps."""

        def one(state: State, fed: Any, index: Any, step: jax.Array) -> tuple[State, Metrics]:
            rows = self._parallelism.split()
            batch = jax.lax.with_sharding_constraint(source.batch(fed, index), rows)
            return self._guarded(state, batch, key(self._seed, TRAIN, step + index))

        def run(state: State, fed: Any, step: jax.Array) -> tuple[State, Metrics]:
            if count == 1:  # XLA compiles the body of a loop, even of one turn, into other bits
                state, metrics = one(state, fed, 0, step)
                return state, jax.tree.map(lambda x: x[None], metrics)
            # XLA's loops run their bodies on one thread of a CPU; elsewhere they cost nothing.
            unroll = count if jax.default_backend() == 'cpu' else 1
            return jax.lax.scan(lambda s, i: one(s, fed, i, step), state, jnp.arange(count), unroll=unroll)

        program = jax.jit(run, donate_argnums=0, out_shardings=self._parallelism.replicated)
        return program.trace(self.state_shapes, source.shapes(count), np.int32(0))

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, jax.Array]:
        """Returns what enters the network at the first step, whose batch this is."""
        return jax.jit(self._bound.inputs)(batch, key(self._seed, TRAIN, 0))

    def init(self) -> State:
        """Returns the first state, on the devices."""
        init = jax.jit(
            lambda: self._bound.init(key(self._seed, INIT)), out_shardings=self._parallelism.replicated
        )
        return init()


Update = Callable[[State, Batch, jax.Array], tuple[State, Metrics]]


def _skipping(update: Update) -> Update:
    """Returns an update that changes nothing where a metric is not finite, and counts that as `skipped`."""

    def guarded(state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        changed, metrics = update(state, batch, key)
        finite = jnp.all(jnp.stack([jnp.isfinite(each.total) for each in metrics.values()]))
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
