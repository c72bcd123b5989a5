"""Built datasets that no builder makes today, as an earlier version of a builder may have left them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine.datasets.reading import integrity
from engine.datasets.reading.dataset import Dataset
from engine.interfaces import Spec

SPLITS = ('train', 'val', 'test')


def images(n: int, side: int = 8) -> np.ndarray:
    """Returns n images of noise, uint8 [n, side, side, 1]."""
    return np.random.default_rng(n).integers(0, 256, (n, side, side, 1), np.uint8)


def dataset(
    folder: Path,
    splits: Mapping[str, Mapping[str, Any]],
    class_names: Mapping[str, Sequence[str]] | None = None,
    ids: Mapping[str, list[str]] | None = None,
) -> Dataset:
    """Writes the arrays of splits and returns the dataset."""
    arrays = {
        split: {name: np.asarray(array) for name, array in fields.items()} for split, fields in splits.items()
    }
    counts = {split: len(next(iter(fields.values()))) for split, fields in arrays.items()}
    for split, fields in arrays.items():
        (folder / split).mkdir(parents=True)
        for name, array in fields.items():
            np.save(folder / split / f'{name}.npy', array)
        names = (ids or {}).get(split) or [f'{split}-{index}' for index in range(counts[split])]
        (folder / split / 'ids.txt').write_text(''.join(f'{name}\n' for name in names), encoding='utf-8')
    integrity.write(folder)
    first = next(iter(arrays.values()))
    spec = Spec(
        {name: jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for name, array in first.items()},
        {name: tuple(names) for name, names in (class_names or {}).items()},
    )
    return Dataset('odd', '1.0.0', '0' * 64, spec, counts, folder)


def classified(folder: Path, ids: Mapping[str, list[str]] | None = None, **labels: Any) -> Dataset:
    """Returns a dataset of 16 images per split with the labels of three classes, some of them replaced."""
    plain = np.arange(16, dtype=np.int32) % 3
    splits = {split: {'image': images(16), 'label': labels.get(split, plain)} for split in SPLITS}
    return dataset(folder, splits, {'label': ('ant', 'bee', 'cat')}, ids)
