"""A built dataset: arrays and encoded images, mapped into memory."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from numpy.lib.format import open_memmap

from engine.datasets.reading import images, integrity
from engine.datasets.reading.image_report import ImageReport
from engine.datasets.reading.lists import describe_example
from engine.errors import UserError, did_you_mean
from engine.interfaces import Spec


class EncodedImages(Protocol):
    """Images of varying size, stored as in their files: `encoded[3]` is the bytes of the fourth one."""

    @property
    def channels(self) -> int:
        """The number of channels of a decoded image."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...

    def __getitem__(self, index: int) -> bytes: ...


@dataclass(frozen=True)
class Encoded:
    """Images of varying size in one file.

    Attributes:
      data: all images, one after another, uint8 [bytes].
      offsets: the offset of each image in `data`, then the end of the last one, int64 [n + 1].
      channels: the number of channels of a decoded image.
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
      decode: turns encoded images into arrays of one shape, a `training.batches.decoding.Decode`.
      originals: the list of the split, which gives the file of each example.
      groups: the group of each example, int [n], if training draws groups in fixed proportions; else None.
      group_weights: the proportion of each group.
      first_index: the `index` of the first example in evaluation and prediction.
      locate: returns the id of an example with its original file, of examples that are made of others; None
        looks into `originals`.
    """

    ids: list[str]
    arrays: dict[str, np.ndarray]
    encoded: Mapping[str, EncodedImages] = field(default_factory=dict)
    decode: Any = None
    originals: Path = Path()
    groups: np.ndarray | None = None
    group_weights: tuple[float, ...] = ()
    first_index: int = 0
    locate: Callable[[int], str] | None = field(repr=False, default=None)

    def __len__(self) -> int:
        return len(self.ids)

    def example(self, index: int) -> dict[str, np.ndarray]:
        """Returns the fields of fixed shape of one example."""
        return {name: array[index] for name, array in self.arrays.items()}

    def whole(self, index: int) -> dict[str, np.ndarray]:
        """Returns all fields of one example. Images of varying size are decoded, uint8 [H, W, C]."""
        decoded = {
            name: images.whole(encoded[index], encoded.channels) for name, encoded in self.encoded.items()
        }
        return self.example(index) | decoded

    def origin(self, index: int) -> str:
        """Returns the id of an example with its original file, for messages."""
        return self.locate(index) if self.locate else describe_example(self.ids[index], self.originals)


@dataclass(frozen=True)
class Dataset:
    """A built dataset.

    Attributes:
      name: such as `digits` or `digits/toy`.
      version: the builder's version.
      fingerprint: sha256 of the ids and arrays of all splits. It does not depend on where the data lie.
      spec: shape and dtype of each field of an example, and the names of the classes.
      splits: the number of examples of each split.
      folder: the folder of the arrays.
      lists: the folder of the lists.
      encoded: the channels of each field of images of varying size. `spec` has these fields only if `decode`
        is set.
      decode: turns encoded images into arrays of one shape, a `training.batches.decoding.Decode`.
      images: what building found in the images.
      make: returns the examples of a split, for a dataset that is made of others; None reads its files.
      made_of: the datasets that it is made of.
      parts: datasets of which each training batch holds examples too, by the names of these parts.
    """

    name: str
    version: str
    fingerprint: str
    spec: Spec
    splits: dict[str, int]
    folder: Path = field(repr=False, default=Path())
    lists: Path = field(repr=False, default=Path())
    encoded: Mapping[str, int] = field(default_factory=dict)
    decode: Any = None
    images: ImageReport = field(repr=False, default_factory=ImageReport)
    make: Callable[[str], Examples] | None = field(repr=False, default=None)
    made_of: tuple['Dataset', ...] = ()
    parts: Mapping[str, 'Dataset'] = field(default_factory=dict)

    @property
    def sources(self) -> tuple['Dataset', ...]:
        """The built datasets whose files hold the examples, each once."""
        if self.make is None:
            return (self,)
        by_folder = {source.folder: source for dataset in self.made_of for source in dataset.sources}
        return tuple(by_folder.values())

    @property
    def members(self) -> dict[str, str]:
        """The fingerprints of the built datasets that it is made of, by their names; {} for a built one."""
        return {source.name: source.fingerprint for source in self.sources if source is not self}

    def split(self, name: str) -> Examples:
        """Returns the examples of a split. Raises `UserError` if there is no such split or it is damaged."""
        if name not in self.splits:
            raise UserError(f'{self.name} has no split {name!r}. {did_you_mean(name, self.splits)}')
        return replace(self.make(name) if self.make else self._read(name), decode=self.decode)

    def _read(self, name: str) -> Examples:
        folder, count = self.folder / name, self.splits[name]
        arrays = {
            field: _read(folder / f'{field}.npy', expected, count)
            for field, expected in self.spec.example.items()
            if field not in self.encoded
        }
        encoded = {
            field: _read_encoded(folder, field, channels, count) for field, channels in self.encoded.items()
        }
        ids = _read_ids(folder / 'ids.txt', count)
        return Examples(ids, arrays, encoded, originals=self.lists / f'{name}.csv')


def _read(path: Path, expected: jax.ShapeDtypeStruct, count: int) -> np.ndarray:
    """Maps a field of a split into memory, [n, ...]. Raises `UserError` if it is not as expected."""
    if not path.exists():
        raise _outdated(path, f'{expected.dtype} {expected.shape}')
    with _refusing_damage(path):
        # A plain view, because NumPy gathers rows from its own arrays faster than from `memmap`, a subclass.
        array = open_memmap(path, 'r').view(np.ndarray)
    if (array.shape[1:], array.dtype) != (expected.shape, expected.dtype):
        raise _outdated(path, f'{expected.dtype} {expected.shape}')
    _check_count(path, len(array), count)
    return array


def _read_encoded(folder: Path, name: str, channels: int, count: int) -> Encoded:
    """Maps the encoded images of a field into memory. Raises `UserError` if they are missing or damaged."""
    path, offsets_path = folder / f'{name}.bin', folder / f'{name}.offsets.npy'
    if not path.exists():
        raise _outdated(path, 'images of varying size')
    with _refusing_damage(path):
        size = path.stat().st_size
        # An empty file cannot be mapped, and a split may be empty.
        data = np.memmap(path, np.uint8, 'r').view(np.ndarray) if size else np.empty(0, np.uint8)
    with _refusing_damage(offsets_path):
        offsets = np.asarray(open_memmap(offsets_path, 'r'))
    _check_count(offsets_path, len(offsets) - 1, count)
    if offsets[-1] != size:
        raise damaged(path, f'it has {size} bytes, not {offsets[-1]}')
    return Encoded(data, offsets, channels)


def _read_ids(path: Path, count: int) -> list[str]:
    """Returns the ids of a split. Raises `UserError` if they are missing or damaged."""
    with _refusing_damage(path):
        # Not `splitlines`, which splits at further characters than the end of a line.
        ids = path.read_text(encoding='utf-8').split('\n')[:-1]
    _check_count(path, len(ids), count)
    return ids


def _check_count(path: Path, examples: int, expected: int) -> None:
    if examples != expected:
        raise damaged(path, f'it holds {examples} examples, and the split has {expected}')


@contextlib.contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    """Raises `UserError` instead of what reading a damaged file raises."""
    try:
        yield
    except OSError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except (ValueError, EOFError) as error:
        raise damaged(path, ' '.join(str(error).split())) from error


def damaged(path: Path, problem: str) -> UserError:
    """Returns the error that a file in the folder of the arrays, or in one of a split, is damaged."""
    arrays = next((folder for folder in path.parents if folder.name == integrity.ARRAYS), path.parent)
    return UserError(f'{path} is damaged: {problem}. Delete {arrays}: the next command builds it again.')


def _outdated(path: Path, expected: str) -> UserError:
    return UserError(
        f'The builder states {path.stem}: {expected}, but {path} differs, because an earlier version of the '
        f'builder wrote it. Raise the VERSION of the builder, or delete {path.parents[2]}.'
    )
