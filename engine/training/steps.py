"""The functions of a task as programs on the devices, compiled before the first step."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine import sharding, variables
from engine.hardware import targets
from engine.interfaces import INDEX, Batch, BoundTask, Metrics, State, average
from engine.runs import faults
from engine.sharding import Parallelism
from engine.training.batches.source import BatchSource
from engine.training.logs.packed import PackedMetrics, pack
from engine.training.preflight import hooks
from engine.variables import VariableSource
from engine.workspace import workspace

# Streams of randomness. A key is a function of (seed, stream, step), so none is stored.
INIT, TRAIN, PICTURES, AUGMENTATIONS = 0, 1, 2, 3

Shapes = Any
Compiled = Callable[..., Any]


def use_compilation_cache() -> None:
    """Has XLA keep compiled programs in the workspace, so that the same program compiles only once."""
    jax.config.update('jax_compilation_cache_dir', str(workspace() / 'cache' / 'xla'))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)


def key(seed: int, stream: int, step: int | jax.Array = 0) -> jax.Array:
    """Returns the random key of a step in a stream."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), stream), step)


def first_state(bound: BoundTask, key: jax.Array, loaded: State | None = None) -> State:
    """Returns the state of a task before training.

    Args:
      bound: the task.
      key: random key of the initialisation.
      loaded: `params` and `model_state` that take the place of initialised ones; some of them, or all.
    """
    params, model_state = bound.init_model(key)
    if loaded is not None:
        params, model_state = (
            variables.joined(params, loaded['params']),
            variables.joined(model_state, loaded['model_state']),
        )
    return bound.init_training(params, model_state)


@dataclass(frozen=True)
class TracedSteps:
    """A task's functions, traced on shapes and not yet compiled.

    Attributes:
      train_steps: by number of steps, (state, payload, step int32 []) -> (state, packed metrics).
      evaluate: (state, batch) -> packed metrics, as of one step.
      predict: (state, batch) -> predictions.
      pictures: (state) -> pictures by name, uint8 [N, H, W, C]; None where no pictures are due.
    """

    train_steps: Mapping[int, jax.stages.Traced]
    evaluate: jax.stages.Traced
    predict: jax.stages.Traced
    pictures: jax.stages.Traced | None = None


class StepFunctions:
    """A bound task's functions as programs over the devices.

    Args:
      bound: the task.
      parallelism: where arrays live.
      seed: of all randomness.
      skip_nonfinite: whether a step with a metric that is not finite leaves the state as it was.
    """

    def __init__(self, bound: BoundTask, parallelism: Parallelism, seed: int, skip_nonfinite: bool = False):
        self._bound, self._parallelism, self._seed = bound, parallelism, seed
        self._update = _skipping_nonfinite(self._checked_update) if skip_nonfinite else self._checked_update
        mesh = parallelism.mesh
        self._whole, self._rows = sharding.replicated(mesh), sharding.batch_sharding(mesh)

    @cached_property
    def state_shapes(self) -> Shapes:
        """The state's shapes, dtypes and shardings."""
        return self._parallelism.state(jax.eval_shape(self._first_state, None))

    @cached_property
    def model_shapes(self) -> Shapes:
        """The shapes, dtypes and shardings of the variables of the model: `params` and `model_state`."""
        params, model_state = jax.eval_shape(self._bound.init_model, jax.random.key(0))
        return self._parallelism.state({'params': params, 'model_state': model_state})

    @property
    def _state_sharding(self) -> Any:
        """The sharding of each array of the state."""
        return jax.tree.map(lambda leaf: leaf.sharding, self.state_shapes)

    def trace(
        self,
        source: BatchSource,
        batch: Mapping[str, Any],
        counts: Iterable[int],
        evaluated_rows: int | None = None,
    ) -> TracedSteps:
        """Traces all functions of the task on shapes, without running them; code that cannot work fails here.

        Args:
          source: of the training batches.
          batch: an example of a batch to predict.
          counts: numbers of steps per call of the training program.
          evaluated_rows: of an evaluation batch; None: as of `batch`.

        Raises:
          TypeError: if a training step returns another structure, shape or dtype of state than it was given.
        """
        # In ascending order: the errors of a single step are the easiest to read.
        train_steps = {count: self._trace_train_steps(count, source) for count in sorted(counts)}
        evaluated = {
            name: jax.ShapeDtypeStruct((evaluated_rows or len(array), *array.shape[1:]), array.dtype)
            for name, array in batch.items()
        }
        arguments = self.state_shapes, sharding.abstract_sharded(evaluated, self._rows)
        evaluate = self._parallelism.trace(self._evaluate, arguments, self._whole)
        return TracedSteps(train_steps, evaluate, self.trace_predict(batch))

    def trace_predict(self, batch: Mapping[str, Any]) -> jax.stages.Traced:
        """Traces the prediction on shapes.

        Args:
          batch: shape and dtype of each field of a batch, with `index` and `valid`.
        """
        arguments = self.state_shapes, sharding.abstract_sharded(batch, self._rows)
        return self._parallelism.trace(self._predict, arguments, self._rows)

    def _checked_update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after a step, and the metrics of the whole batch."""
        new_state, metrics = self._bound.update(state, batch, key)
        _check_same_structure(state, new_state)
        hooks.check_metrics(hooks.named(self._bound, 'update'), metrics)
        return new_state, sharding.sum_across_devices(metrics)

    def _evaluate(self, state: State, batch: Batch) -> PackedMetrics:
        metrics = self._bound.evaluate(state, batch)
        hooks.check_metrics(hooks.named(self._bound, 'evaluate'), metrics)
        return pack(jax.tree.map(lambda x: x[None], sharding.sum_across_devices(metrics)))

    def _predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        arrays = self._bound.predict(state, batch)
        hooks.check_arrays(hooks.named(self._bound, 'predict', 'predictions'), arrays, len(batch[INDEX]))
        return arrays

    def _trace_train_steps(self, count: int, source: BatchSource) -> jax.stages.Traced:
        """Traces a program of `count` training steps."""

        def train_step(state: State, payload: Any, index: Any, step: jax.Array) -> tuple[State, Metrics]:
            batch = self._parallelism.batch(source.batch(payload, index))
            return self._update(state, batch, key(self._seed, TRAIN, step + index))

        def train_steps(state: State, payload: Any, step: jax.Array) -> tuple[State, PackedMetrics]:
            if count == 1:  # XLA compiles the body of a loop, even of a single turn, to other bits
                state, metrics = train_step(state, payload, 0, step)
                return state, pack(jax.tree.map(lambda x: x[None], metrics))
            # On a CPU, XLA's loops run their bodies on one thread; elsewhere loops cost nothing.
            unroll = count if targets.platform() == 'cpu' else 1
            state, metrics = jax.lax.scan(
                lambda s, i: train_step(s, payload, i, step), state, jnp.arange(count), unroll=unroll
            )
            return state, pack(metrics)

        step = sharding.abstract_sharded(np.int32(0), self._whole)
        arguments = self.state_shapes, source.shapes(count), step
        results = self._state_sharding, self._whole
        return self._parallelism.trace(train_steps, arguments, results, donate=(0,))

    def first_inputs(self, batch: Mapping[str, Any]) -> dict[str, jax.Array]:
        """Returns what enters the network at the first step, given the batch of that step."""
        return jax.jit(self._bound.debug_inputs)(batch, key(self._seed, TRAIN, 0))

    def init(self, source: VariableSource | None = None) -> State:
        """Returns the first state, on the devices.

        Args:
          source: of trained variables, which are loaded straight into their shardings and not initialised.
        """
        # Loaded outside of the program, which takes over their memory. Inside, they would be constants of it.
        loaded = source.load(self.model_shapes) if source else None
        return jax.jit(self._first_state, out_shardings=self._state_sharding, donate_argnums=0)(loaded)

    def _first_state(self, loaded: State | None) -> State:
        # The key is not an argument: XLA folds constants, and another program may round otherwise.
        return first_state(self._bound, key(self._seed, INIT), loaded)


Update = Callable[[State, Batch, jax.Array], tuple[State, Metrics]]


def _skipping_nonfinite(update: Update) -> Update:
    """Returns an update that keeps the state where a metric is not finite, and counts that as `skipped`."""

    def guarded(state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        new_state, metrics = update(state, batch, key)
        finite = jnp.all(jnp.stack([jnp.isfinite(metric.total).all() for metric in metrics.values()]))
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), new_state, state)
        return kept, metrics | {'skipped': average(1 - finite.astype(jnp.float32)[None])}

    return guarded


def _check_same_structure(before: Shapes, after: Shapes) -> None:
    """Raises `TypeError` that names the first array of the state whose shape or dtype a step changes."""
    old, new = (
        {path: (leaf.shape, leaf.dtype) for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]}
        for state in (before, after)
    )
    for path in [*old, *new]:
        if old.get(path) != new.get(path):
            name = jax.tree_util.keystr(path)
            raise TypeError(f'update() turns state{name} from {old.get(path)} into {new.get(path)}.')


def compiled(traced: jax.stages.Traced) -> Compiled:
    """Compiles a traced function."""
    faults.point('compile')
    return traced.lower().compile(compiler_options())


def compiling(traced: jax.stages.Traced, pool: ThreadPoolExecutor) -> Future[Compiled]:
    """Starts to compile a traced function.

    Lowering is Python, whose lock lets one thread work at a time: it happens here, so that the first program
    is ready for XLA as early as possible. XLA compiles in the pool, beside the lowering of the next program.
    """
    faults.point('compile')
    return pool.submit(traced.lower().compile, compiler_options())


def compiler_options() -> dict[str, int]:
    """Returns options of the compiler: on a CPU, XLA takes vectors of 256 bits where 512 are faster."""
    return {'xla_cpu_prefer_vector_width': 512} if targets.platform() == 'cpu' else {}
