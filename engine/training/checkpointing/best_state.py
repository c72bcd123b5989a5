"""What a best checkpoint holds: the parameters, and what evaluation, prediction and pictures read besides.

The state of the optimizer is no part of it, unless the parameters to evaluate are computed from it. So no
training can resume from it.
"""

from collections.abc import Collection, Iterable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from engine.interfaces import State
from engine.training.checkpointing import read_arrays
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.steps import TracedSteps
from engine.variables import by_path

# Up to this size on a device, the best state stays there until it is saved. A larger one moves to the host.
MAX_DEVICE_BYTES = 2**30


def traced_copy(traced: TracedSteps, state: Any) -> jax.stages.Traced:
    """Traces the program that copies from a state what a best checkpoint holds: (state) -> nested dicts.

    Args:
      traced: the programs that read a state without changing it.
      state: shapes, dtypes and shardings.
    """
    programs = [traced.evaluate, traced.predict, *([traced.pictures] if traced.pictures else [])]
    kept = _held(programs, state)
    shardings = {path: leaf.sharding for path, leaf in by_path(state).items() if path in kept}
    if _bytes_per_device(state, kept) > MAX_DEVICE_BYTES:
        shardings = {path: sharding.with_memory_kind('pinned_host') for path, sharding in shardings.items()}

    def copy(state: State) -> State:
        return _nested({path: jnp.copy(leaf) for path, leaf in by_path(state).items() if path in kept})

    return jax.jit(copy, out_shardings=_nested(shardings)).trace(state)


def restored(
    checkpoints: Checkpoints, kind: str, step: int, programs: Iterable[jax.stages.Traced], state: Any
) -> State:
    """Returns a state for programs that only read it. Arrays that they do not read are zero.

    Args:
      checkpoints: of a run.
      kind: of the checkpoint, "latest" or "best".
      step: that was saved.
      programs: traced functions, whose first argument is a state.
      state: shapes, dtypes and shardings.

    Raises:
      UserError: the checkpoint is damaged, or lacks an array that the programs read.
    """
    held, leaves = _held(programs, state), by_path(state)
    others = {path: leaf for path, leaf in leaves.items() if path not in held}
    zeros = jax.jit(
        lambda: {path: jnp.zeros(leaf.shape, leaf.dtype) for path, leaf in others.items()},
        out_shardings={path: leaf.sharding for path, leaf in others.items()},
    )
    arrays = checkpoints.restore(kind, step, {path: leaves[path] for path in held}, is_part=True) | zeros()
    return jax.tree.unflatten(jax.tree.structure(state), [arrays[path] for path in leaves])


def _held(programs: Iterable[jax.stages.Traced], state: Any) -> frozenset[str]:
    """Returns the paths of the parameters, of random keys and of what programs read."""
    always = {
        path
        for path, leaf in by_path(state).items()
        if path.startswith('params/') or jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    }
    return frozenset(always).union(*(read_arrays.paths(program, state) for program in programs))


def _bytes_per_device(state: Any, paths: Collection[str]) -> int:
    leaves = by_path(state)
    parts = {path: leaves[path].sharding.shard_shape(leaves[path].shape) for path in paths}
    return sum(prod(shape) * leaves[path].dtype.itemsize for path, shape in parts.items())


def _nested(by_path: dict[str, Any]) -> dict[str, Any]:
    """Returns nested dicts of values by their paths.

    >>> _nested({'params/output/bias': 1, 'params/output/kernel': 2})
    {'params': {'output': {'bias': 1, 'kernel': 2}}}
    """
    tree: dict[str, Any] = {}
    for path, value in by_path.items():
        *parents, name = path.split('/')
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = value
    return tree
