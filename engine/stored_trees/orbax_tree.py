"""Trees of arrays that Orbax saved: lists the arrays by their paths, and restores some of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from engine.errors import UserError
from engine.stored_trees.on_devices import Shapes, nbytes
from engine.variables import by_path

GROUP_BYTES = 2**27  # restored at once: while Orbax reads, it holds some arrays twice


def stored_shapes(item: Path) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns shape and dtype of each array.

    Args:
      item: the folder of a tree of arrays.

    Raises:
      UserError: Orbax cannot read it.
    """
    leaves = by_path(_tree(item))
    return {
        path: jax.ShapeDtypeStruct(tuple(leaf.shape), np.dtype(leaf.dtype))
        for path, leaf in leaves.items()
        if getattr(leaf, 'shape', None) is not None and getattr(leaf, 'dtype', None) is not None
    }


def _tree(item: Path) -> Any:
    try:
        with ocp.PyTreeCheckpointer() as checkpointer:
            return checkpointer.metadata(item).item_metadata.tree  # type: ignore[union-attr]
    except Exception as error:  # Orbax raises all kinds
        raise _unreadable(item, error) from error


def restored(item: Path, targets: Shapes) -> dict[str, Any]:
    """Returns some arrays by their paths, in the sharding of their targets, or in NumPy if these have none.

    Raises:
      UserError: Orbax cannot read them.
    """
    tree, result = _tree(item), {}
    for group in _groups(targets):
        try:
            result |= _restored(item, tree, group)
        except Exception as error:
            raise _unreadable(item, error) from error
    return result


def _restored(item: Path, tree: Any, targets: Shapes) -> dict[str, Any]:
    paths, structure = list(by_path(tree)), jax.tree.structure(tree)
    wanted = jax.tree.unflatten(structure, [targets.get(path, ocp.PLACEHOLDER) for path in paths])
    arguments = jax.tree.unflatten(structure, [_argument(targets.get(path)) for path in paths])
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as checkpointer:
        arrays = by_path(
            checkpointer.restore(item, args=ocp.args.PyTreeRestore(item=wanted, restore_args=arguments))
        )
    return {path: arrays[path] for path in targets}


def _argument(target: jax.ShapeDtypeStruct | None) -> ocp.RestoreArgs:
    if target is None:
        return ocp.RestoreArgs()
    if target.sharding is None:
        return ocp.RestoreArgs(restore_type=np.ndarray, dtype=target.dtype)
    return ocp.ArrayRestoreArgs(sharding=target.sharding, global_shape=target.shape, dtype=target.dtype)


def _groups(targets: Shapes) -> Iterator[dict[str, jax.ShapeDtypeStruct]]:
    """Yields the targets in groups, the largest arrays first. A group may be one array of any size."""
    group: dict[str, jax.ShapeDtypeStruct] = {}
    size = 0
    for path in sorted(targets, key=lambda path: -nbytes(targets[path])):
        if group and size + nbytes(targets[path]) > GROUP_BYTES:
            yield group
            group, size = {}, 0
        group[path] = targets[path]
        size += nbytes(targets[path])
    if group:
        yield group


def _unreadable(item: Path, error: Exception) -> UserError:
    reason = str(error).splitlines()[0] if str(error) else ''
    return UserError(f'{item} is damaged: Orbax cannot read it ({type(error).__name__}: {reason[:200]}).')
