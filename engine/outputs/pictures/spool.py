"""Pictures that do not fit into memory, on their way from the batches to the outputs folder."""

import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, Any

import numpy as np

from engine.outputs.pictures import png
from engine.outputs.pictures.sequence import Pictures


@dataclass
class _Stored:
    """What is known of the pictures of an array: sizes, dtype, channels, and their places in the file."""

    dtype: np.dtype
    channels: int | None
    sizes: list[np.ndarray] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)


class PictureSpool:
    """Takes pictures batch by batch, and keeps them as PNG files, one after another, in a temporary file."""

    def __init__(self) -> None:
        self._stored: dict[str, _Stored] = {}

    @cached_property
    def _file(self) -> IO[bytes]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the pictures, which refer to it)
        weakref.finalize(self, file.close)
        return file

    def add(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Stores the `Pictures` among the arrays of a batch, and returns the other arrays."""
        for name, pictures in arrays.items():
            if isinstance(pictures, Pictures):
                stored = self._stored.setdefault(name, _Stored(pictures.dtype, pictures.channels))
                stored.sizes.append(pictures.sizes)
                stored.places += [self._write(pictures.encoded(row)) for row in range(len(pictures))]
        return {name: array for name, array in arrays.items() if not isinstance(array, Pictures)}

    def pictures(self) -> dict[str, Pictures]:
        """Returns the pictures of all batches, by array."""
        return {name: self._joined(name, stored) for name, stored in self._stored.items()}

    def _joined(self, name: str, stored: _Stored) -> Pictures:
        def encoded(row: int) -> bytes:
            start, size = stored.places[row]
            self._file.seek(start)
            return self._file.read(size)

        def load(row: int) -> np.ndarray:
            return png.decode(encoded(row), f'{name} of example {row}', stored.channels is None)

        return Pictures(load, np.concatenate(stored.sizes), stored.dtype, stored.channels, encoded)

    def _write(self, data: bytes) -> tuple[int, int]:
        return self._file.seek(0, 2), self._file.write(data)
