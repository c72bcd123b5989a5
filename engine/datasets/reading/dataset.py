"""A dataset as training sees it: arrays, and images of varying size as in their files, mapped into memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine.datasets.building import build
from engine.datasets.catalogue import builders
from engine.datasets.reading import images
from engine.errors import UserError, did_you_mean
from engine.interfaces import Spec


@dataclass(frozen=True)
class Encoded:
    """Images of varying size, each as in its file: `encoded[3]` is the bytes of the fourth.

    Attributes:
      data: all of them, one after another, uint8 [bytes].
      offsets: where each begins, and the last one ends, int64 [n + 1].
      channels: that they are decoded to.
    """

    data: np.ndarray
    offsets: np.ndarray
    channels: int

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __iter__(self) -> Iterator[bytes]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> bytes:
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()


@dataclass(frozen=True)
class Examples:
    """The examples of a split, in the order of its list.

    Attributes:
      ids: n names, unique in the dataset.
      arrays: each field of fixed shape, [n, ...], read-only. Class labels are int32.
      encoded: each field of images of varying size.
      decode: makes arrays of these, an `engine.decoding.Decode`.
      originals: the list of the split, which names the file of each example.
    """

    ids: list[str]
    arrays: dict[str, np.ndarray]
    encoded: Mapping[str, Encoded] = field(default_factory=dict)
    decode: Any = None
    originals: Path = Path()

    def __len__(self) -> int:
        return len(self.ids)

    def example(self, index: int) -> dict[str, np.ndarray]:
        """Returns the fields of one example, without images of varying size."""
        return {name: array[index] for name, array in self.arrays.items()}

    def whole(self, index: int) -> dict[str, np.ndarray]:
        """Returns the fields of one example, images of varying size decoded, uint8 [H, W, C]."""
        decoded = {name: images.whole(each[index], each.channels) for name, each in self.encoded.items()}
        return self.example(index) | decoded

    def origin(self, index: int) -> str:
        """Returns words for an example: its id and its file."""
        return build.origin(self.ids[index], self.originals)


@dataclass(frozen=True)
class Dataset:
    """A dataset that is built.

    Attributes:
      name: such as `digits` or `digits/toy`.
      version: the builder's.
      fingerprint: sha256 of ids and arrays of all splits; the same wherever the data are.
      spec: shape and dtype of each field of an example, and the names of the classes.
      splits: number of examples by split.
      folder: where its arrays lie.
      lists: where the lists of its splits lie.
      encoded: channels of each field of images of varying size; `spec` has those only once `decode` is given.
      decode: makes arrays of these, an `engine.decoding.Decode`.
    """

    name: str
    version: str
    fingerprint: str
    spec: Spec
    splits: dict[str, int]
    folder: Path = field(repr=False)
    lists: Path = field(repr=False, default=Path())
    encoded: Mapping[str, int] = field(default_factory=dict)
    decode: Any = None

    def split(self, name: str) -> Examples:
        """Returns the examples of the split `name`. Raises `UserError` if there is no such split."""
        if name not in self.splits:
            raise UserError(f'{self.name} has no split {name!r}. {did_you_mean(name, self.splits)}')
        folder = self.folder / name
        arrays = {
            field: _read(folder / f'{field}.npy', each)
            for field, each in self.spec.example.items()
            if field not in self.encoded
        }
        encoded = {field: _read_encoded(folder, field, channels) for field, channels in self.encoded.items()}
        ids = (folder / 'ids.txt').read_text(encoding='utf-8').splitlines()
        return Examples(ids, arrays, encoded, self.decode, self.lists / f'{name}.csv')


def load(name: str) -> Dataset:
    """Returns the dataset `name`, which is built first if need be.

    Args:
      name: `<dataset>` or `<dataset>/<config>`.

    Raises:
      UserError: no such dataset or config, or its originals are not what they should be.
    """
    builder = build.prepare(name)
    folder = build.arrays(builder)
    return Dataset(
        name=name,
        version=str(builder.version),
        fingerprint=(folder / 'fingerprint.txt').read_text().strip(),
        spec=builders.spec(builder),
        splits={split: info.num_examples for split, info in builder.info.splits.items()},
        folder=folder,
        lists=build.lists(builder),
        encoded=builders.encoded(builder),
    )


def _read(path: Path, promised: jax.ShapeDtypeStruct) -> np.ndarray:
    """Returns a field of a split, [n, ...], mapped into memory. Raises `UserError` if not as promised."""
    # A plain view, because NumPy gathers rows from its own arrays faster than from `memmap`, a subclass.
    array = np.load(path, mmap_mode='r').view(np.ndarray) if path.exists() else None
    if array is None or (array.shape[1:], array.dtype) != (promised.shape, promised.dtype):
        raise _built_before(path, f'{promised.dtype} {promised.shape}')
    return array


def _read_encoded(folder: Path, name: str, channels: int) -> Encoded:
    """Returns the images of a field of a split. Raises `UserError` if they are not there."""
    path = folder / f'{name}.bin'
    if not path.exists():
        raise _built_before(path, 'images of varying size')
    # A split may be empty, which cannot be mapped.
    data = np.memmap(path, np.uint8, 'r').view(np.ndarray) if path.stat().st_size else np.empty(0, np.uint8)
    return Encoded(data, np.load(folder / f'{name}.offsets.npy'), channels)


def _built_before(path: Path, promised: str) -> UserError:
    return UserError(
        f'The builder now promises {path.stem}: {promised}, which {path} is not: it was built before. '
        f'Raise the VERSION of the builder, or delete {path.parents[2]}.'
    )
