"""Which states are written directly, in a millisecond, and which Orbax saves in the background."""

from typing import Any

import jax

from engine.stored_trees import single_file
from engine.variables import by_path

# States up to this size are written directly, in less time than Orbax takes in the background.
MAX_DIRECT_BYTES = 8 * 2**20


def is_direct(state: Any) -> bool:
    """Returns whether a state is saved directly: in one process, a small one of dtypes that a file holds.

    Args:
      state: arrays, or their shapes and dtypes.
    """
    arrays = by_path(state)
    size = sum(array.size * array.dtype.itemsize for array in arrays.values())
    return jax.process_count() == 1 and size <= MAX_DIRECT_BYTES and single_file.can_hold(arrays)


def prepare(state: Any) -> None:
    """Imports Orbax if a state needs it, so that no step waits for the import.

    Args:
      state: arrays, or their shapes and dtypes.
    """
    if not is_direct(state):
        from engine.training.checkpointing import background  # noqa: F401
