"""A dataset as training sees it: arrays, mapped into memory."""

from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np

from research.datasets import building, catalogue
from research.errors import UserError, did_you_mean
from research.interfaces import Spec


@dataclass(frozen=True)
class Examples:
    """The examples of a split, in the order of its list.

    Attributes:
      ids: n names, unique in the dataset.
      arrays: each field, [n, ...], read-only. Class labels are int32.
    """

    ids: list[str]
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    def example(self, index: int) -> dict[str, np.ndarray]:
        """Returns the fields of one example."""
        return {name: array[index] for name, array in self.arrays.items()}


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
    """

    name: str
    version: str
    fingerprint: str
    spec: Spec
    splits: dict[str, int]
    folder: Path = field(repr=False)

    def split(self, name: str) -> Examples:
        """Returns the examples of the split `name`. Raises `UserError` if there is no such split."""
        if name not in self.splits:
            raise UserError(f'{self.name} has no split {name!r}. {did_you_mean(name, self.splits)}')
        folder = self.folder / name
        arrays = {field: _read(folder / f'{field}.npy', each) for field, each in self.spec.example.items()}
        return Examples((folder / 'ids.txt').read_text(encoding='utf-8').splitlines(), arrays)


def load(name: str) -> Dataset:
    """Returns the dataset `name`, which is built first if need be.

    Args:
      name: `<dataset>` or `<dataset>/<config>`.

    Raises:
      UserError: no such dataset or config, or its originals are not what they should be.
    """
    builder = building.prepare(name)
    folder = building.arrays(builder)
    return Dataset(
        name=name,
        version=str(builder.version),
        fingerprint=(folder / 'fingerprint.txt').read_text().strip(),
        spec=catalogue.spec(builder),
        splits={split: info.num_examples for split, info in builder.info.splits.items()},
        folder=folder,
    )


def _read(path: Path, promised: jax.ShapeDtypeStruct) -> np.ndarray:
    """Returns a field of a split, [n, ...], mapped into memory. Raises `UserError` if not as promised."""
    # A plain view, because NumPy gathers rows from its own arrays faster than from `memmap`, a subclass.
    array = np.load(path, mmap_mode='r').view(np.ndarray) if path.exists() else None
    if array is None or (array.shape[1:], array.dtype) != (promised.shape, promised.dtype):
        raise UserError(
            f'The builder now promises {path.stem}: {promised.dtype} {promised.shape}, which {path} is not: '
            f'it was built before. Raise the VERSION of the builder, or delete {path.parents[2]}.'
        )
    return array
