"""The base class of all sources of variables: arrays by name, with shapes and dtypes known before loading."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine.stored_trees.on_devices import Shapes


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
