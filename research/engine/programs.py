"""The programs that run on the devices, compiled ahead of the first step."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from research.engine.parallelism import Jit
from research.engine.workspace import workspace
from research.interfaces import VALID, Batch, BoundTask, Metrics, Spec, State

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


class Programs:
    """A bound task's functions as programs over the devices.

    Args:
      bound: the task.
      parallelism: where arrays live.
      seed: of all randomness.
    """

    def __init__(self, bound: BoundTask, parallelism: Jit, seed: int):
        self._bound, self._parallelism, self._seed = bound, parallelism, seed

    def state_shapes(self) -> Shapes:
        """Returns the state's shapes, dtypes and shardings."""
        shapes = jax.eval_shape(self._bound.init, jax.random.key(0))
        return self._parallelism.shapes(shapes, self._parallelism.replicated)

    def trace(self, spec: Spec, batch_size: int) -> list[str]:
        """Traces all functions of the task on shapes, which runs nothing.

        Returns:
          The names of the metrics that evaluation gives.

        Raises:
          TypeError: if a training step returns another structure, shape or dtype of state than it was given.
        """
        batch = {
            name: jax.ShapeDtypeStruct((batch_size, *each.shape), each.dtype)
            for name, each in spec.example.items()
        }
        masked = batch | {VALID: jax.ShapeDtypeStruct((batch_size,), np.bool_)}
        before = jax.eval_shape(self._bound.init, jax.random.key(0))
        after, _ = jax.eval_shape(self._bound.update, before, batch, jax.random.key(0))
        _check_same(before, after)
        jax.eval_shape(self._bound.predict, before, masked)
        return list(jax.eval_shape(self._bound.evaluate, before, masked))

    def inputs(self, batch: Mapping[str, Any]) -> dict[str, jax.Array]:
        """Returns what enters the network at the first step, whose batch this is."""
        return jax.jit(self._bound.inputs)(batch, key(self._seed, TRAIN, 0))

    def init(self) -> State:
        """Returns the first state, on the devices."""
        init = jax.jit(
            lambda: self._bound.init(key(self._seed, INIT)), out_shardings=self._parallelism.replicated
        )
        return init()

    def update(self, count: int, batch: Callable[[Any, Any], Batch], fed: Any) -> Compiled:
        """Compiles `count` training steps: (state, fed, step int32) -> (state, metrics, each [count]).

        Args:
          count: steps per call.
          batch: takes the batch of a step out of what the program is fed.
          fed: an example of that, in place.
        """

        def one(state: State, fed: Any, index: Any, step: jax.Array) -> tuple[State, Metrics]:
            rows = self._parallelism.split()
            split = jax.lax.with_sharding_constraint(dict(batch(fed, index)), rows)
            return self._bound.update(state, split, key(self._seed, TRAIN, step + index))

        def run(state: State, fed: Any, step: jax.Array) -> tuple[State, Metrics]:
            if count == 1:  # XLA compiles the body of a loop, even of one turn, into other bits
                state, metrics = one(state, fed, 0, step)
                return state, jax.tree.map(lambda x: x[None], metrics)
            # XLA's loops run their bodies on one thread of a CPU; elsewhere they cost nothing.
            unroll = count if jax.default_backend() == 'cpu' else 1
            return jax.lax.scan(lambda s, i: one(s, fed, i, step), state, jnp.arange(count), unroll=unroll)

        replicated = self._parallelism.replicated
        program = jax.jit(run, donate_argnums=0, out_shardings=replicated)
        return program.lower(self.state_shapes(), fed, np.int32(0)).compile()

    def evaluate(self, batch: Mapping[str, Any]) -> Compiled:
        """Compiles (state, batch) -> metrics, for batches like this one."""
        return self._with_batch(self._bound.evaluate, batch, self._parallelism.replicated)

    def predict(self, batch: Mapping[str, Any]) -> Compiled:
        """Compiles (state, batch) -> predictions, for batches like this one."""
        return self._with_batch(self._bound.predict, batch, self._parallelism.split())

    def _with_batch(
        self, function: Compiled, batch: Mapping[str, Any], out: jax.sharding.Sharding
    ) -> Compiled:
        shapes = self._parallelism.shapes(batch, self._parallelism.split())
        return jax.jit(function, out_shardings=out).lower(self.state_shapes(), shapes).compile()


def _check_same(before: State, after: State) -> None:
    """Raises `TypeError` that names the first leaf of the state that a step has changed in kind."""
    old, new = (dict(jax.tree_util.tree_flatten_with_path(each)[0]) for each in (before, after))
    for path in [*old, *new]:
        if old.get(path) != new.get(path):
            name = jax.tree_util.keystr(path)
            raise TypeError(f'update() turns state{name} from {old.get(path)} into {new.get(path)}.')


def together(*compilations: Callable[[], Compiled]) -> list[Compiled]:
    """Compiles several programs at once: XLA does not hold Python's lock."""
    with ThreadPoolExecutor(len(compilations)) as pool:
        return [each.result() for each in [pool.submit(one) for one in compilations]]
