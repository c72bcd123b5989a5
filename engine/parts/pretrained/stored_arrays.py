"""The base class of all sources of variables: arrays by name, with shapes and dtypes known before loading."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

Shapes = Mapping[str, jax.ShapeDtypeStruct]  # by name, such as 'encoder/stages/0/kernel'

_ALIGNMENT = 64  # bytes: from such an address, XLA takes over memory of NumPy on a CPU


@dataclass(frozen=True, kw_only=True)
class StoredArrays(ABC):
    """A source of variables.

    Attributes:
      place: the file or folder.
      shapes: shape and dtype of each array.
      record: what else environment.json records, such as the step of a checkpoint.
    """

    place: Path
    shapes: Shapes
    record: Mapping[str, Any]

    @abstractmethod
    def sha256(self) -> str:
        """Reads everything and returns its sha256; raises `UserError` if it is damaged."""

    @abstractmethod
    def load(self, targets: Shapes) -> dict[str, jax.Array]:
        """Returns arrays by name, each in the dtype and sharding of its target."""

    @abstractmethod
    def opened(self) -> AbstractContextManager['OpenArrays']:
        """Gives all arrays on the host, for a transformation."""


class OpenArrays(Mapping[str, np.ndarray]):
    """Arrays on the host, each read when it is asked for.

    Args:
      readers: by name, what returns the array.
      release: drops from memory what was read.
    """

    def __init__(self, readers: Mapping[str, Callable[[], np.ndarray]], release: Callable[[], object]):
        self._readers, self.release = readers, release

    def __getitem__(self, name: str) -> np.ndarray:
        """Returns an array."""
        return self._readers[name]()

    def __iter__(self) -> Iterator[str]:
        """Yields the names."""
        return iter(self._readers)

    def __len__(self) -> int:
        """Returns the number of arrays."""
        return len(self._readers)


def on_devices(
    arrays: Mapping[str, np.ndarray], targets: Shapes, release: Callable[[], object]
) -> dict[str, jax.Array]:
    """Returns host arrays on the devices, each in the dtype and sharding of its target.

    The largest come first: while one is in memory twice, the others are not there yet.

    Args:
      arrays: by name; others than those of `targets` are left out.
      targets: shapes, dtypes and shardings.
      release: called after each array, to drop from memory what was read.
    """
    result = {}
    for name in sorted(targets, key=lambda name: -_bytes(targets[name])):
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

    Only memory of its own can be donated to the program that makes the first state from it.
    """
    buffer = np.empty(array.size * dtype.itemsize + 2 * _ALIGNMENT, np.uint8)
    copy = np.ndarray(array.shape, dtype, buffer, -buffer.ctypes.data % _ALIGNMENT + _ALIGNMENT // 4)
    copy[...] = array
    return copy


def _bytes(shape: jax.ShapeDtypeStruct) -> int:
    return int(np.prod(shape.shape)) * shape.dtype.itemsize
