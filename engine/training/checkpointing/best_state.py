"""What a best checkpoint holds: the parameters, and whatever else evaluation, prediction and pictures read.

It holds no state of the optimizer, unless the parameters to evaluate are computed from that state. So no
training can resume from it.
"""

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from engine.interfaces import State
from engine.training.checkpointing import best_arrays
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.steps import TracedSteps
from engine.variables import by_path


def traced_copy(traced: TracedSteps, state: Any) -> jax.stages.Traced:
    """Traces the program that copies from a state what a best checkpoint holds: (state) -> nested dicts.

    Args:
      traced: the programs that read a state without changing it.
      state: shapes, dtypes and shardings.
    """
    kept = best_arrays.paths(traced, state)
    shardings = {path: leaf.sharding for path, leaf in by_path(state).items() if path in kept}
    if not best_arrays.bytes_on_device(kept, state):
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
    held, leaves = best_arrays.held(programs, state), by_path(state)
    others = {path: leaf for path, leaf in leaves.items() if path not in held}
    zeros = jax.jit(
        lambda: {path: jnp.zeros(leaf.shape, leaf.dtype) for path, leaf in others.items()},
        out_shardings={path: leaf.sharding for path, leaf in others.items()},
    )
    arrays = checkpoints.restore(kind, step, {path: leaves[path] for path in held}, is_part=True) | zeros()
    return jax.tree.unflatten(jax.tree.structure(state), [arrays[path] for path in leaves])


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
