"""Copies host arrays to devices, each in the dtype and sharding of its target."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

Shapes = Mapping[str, jax.ShapeDtypeStruct]  # by name, such as 'encoder/stages/0/kernel'

_ALIGNMENT = 64  # bytes; on a CPU, XLA uses NumPy's memory at such addresses without a copy


def on_devices(
    arrays: Mapping[str, np.ndarray], targets: Shapes, release: Callable[[], object] = lambda: None
) -> dict[str, jax.Array]:
    """Returns host arrays on the devices, each in the dtype and sharding of its target.

    The largest come first: while an array is in memory twice, smaller ones are not there yet.

    Args:
      arrays: by name; those without a target are left out.
      targets: shapes, dtypes and shardings.
      release: called after each array, to drop from memory what was read.
    """
    result = {}
    for name in sorted(targets, key=lambda name: -nbytes(targets[name])):
        result[name] = _on_devices(arrays[name], targets[name]).block_until_ready()
        release()
    return result


def _on_devices(array: np.ndarray, target: jax.ShapeDtypeStruct) -> jax.Array:
    """Copies to each device its part of an array."""

    def part(index: Any) -> np.ndarray:
        return _unaligned(array[index], target.dtype)

    return jax.make_array_from_callback(target.shape, target.sharding, part)


def _unaligned(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Returns a copy in another dtype, which XLA copies once more.

    XLA can only donate memory of its own to the program that makes the next state.
    """
    buffer = np.empty(array.size * dtype.itemsize + 2 * _ALIGNMENT, np.uint8)
    copy = np.ndarray(array.shape, dtype, buffer, -buffer.ctypes.data % _ALIGNMENT + _ALIGNMENT // 4)
    copy[...] = array
    return copy


def nbytes(shape: jax.ShapeDtypeStruct) -> int:
    """Returns the size of an array in bytes."""
    return int(np.prod(shape.shape)) * shape.dtype.itemsize
