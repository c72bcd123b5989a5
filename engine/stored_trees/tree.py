"""Reads a tree of arrays in a folder, from a single file or from what Orbax wrote."""

from pathlib import Path
from typing import Any

from engine.stored_trees import single_file
from engine.stored_trees.on_devices import Shapes

ITEM = 'default'  # in the folder of a saved step, the folder of its tree; Orbax calls it so by default
ORBAX_MARKS = ('_METADATA', 'manifest.ocdbt', '_sharding')  # Orbax writes at least one of these files


def is_tree(folder: Path) -> bool:
    """Whether a folder holds a tree of arrays."""
    return _is_single_file(folder) or any((folder / mark).is_file() for mark in ORBAX_MARKS)


def stored_shapes(folder: Path) -> Shapes:
    """Returns shape and dtype of each array by its path; raises `UserError` if the folder cannot be read."""
    return _reader(folder).stored_shapes(folder)


def restored(folder: Path, targets: Shapes) -> dict[str, Any]:
    """Returns some arrays by their paths.

    Args:
      folder: of the tree.
      targets: the arrays to restore. An array without a sharding is restored in NumPy.

    Raises:
      UserError: the folder cannot be read.
    """
    return _reader(folder).restored(folder, targets)


def _reader(folder: Path) -> Any:
    if _is_single_file(folder):
        return single_file
    from engine.stored_trees import orbax_tree  # Orbax takes a second to import

    return orbax_tree


def _is_single_file(folder: Path) -> bool:
    return (folder / single_file.FILE).is_file()
