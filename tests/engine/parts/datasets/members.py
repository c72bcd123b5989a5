"""Datasets in memory, of which the tests make expressions."""

import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from engine.datasets.expressions import expression
from engine.datasets.expressions.expression import Expression
from engine.datasets.reading.dataset import Dataset, Encoded, Examples
from engine.errors import UserError
from engine.interfaces import Spec

SPLITS = {'train': 40, 'val': 12, 'test': 8}
CLASSES = ('a', 'b', 'c')


def examples(name: str, split: str, n: int, is_reversed: bool = False) -> Examples:
    """Returns n examples whose array `value` tells which one it is. Their classes take turns."""
    order = range(n)[::-1] if is_reversed else range(n)
    values = np.array([int(hashlib.sha256(f'{name}{split}{i}'.encode()).hexdigest()[:6], 16) for i in order])
    arrays = {
        'value': np.stack([values, -values], 1).astype(np.int32),
        'label': np.array([i % len(CLASSES) for i in order], np.int32),
    }
    return Examples([f'{split}-{i}' for i in order], arrays)


def dataset(
    name: str,
    splits: Mapping[str, int] = SPLITS,
    classes: tuple[str, ...] = CLASSES,
    fields: Mapping[str, Any] | None = None,
    is_reversed: bool = False,
    **notes: Any,
) -> Dataset:
    """Returns a dataset in memory."""
    example = {
        'value': jax.ShapeDtypeStruct((2,), np.int32),
        'label': jax.ShapeDtypeStruct((), np.int32),
    }
    return Dataset(
        name=name,
        version='1.0.0',
        fingerprint=hashlib.sha256(f'{name}{is_reversed}{splits}'.encode()).hexdigest(),
        spec=Spec(dict(fields) if fields else example, {'label': classes}, notes),
        splits=dict(splits),
        make=lambda split: examples(name, split, splits[split], is_reversed),
    )


def varying(name: str, n: int = 5, channels: int = 3) -> Dataset:
    """Returns a dataset whose `image`s vary in size: that of example i is i + 1 bytes of value i."""
    data = np.concatenate([np.full(i + 1, i, np.uint8) for i in range(n)])
    encoded = Encoded(data, np.cumsum([0, *range(1, n + 1)]), channels)
    return Dataset(
        name=name,
        version='1.0.0',
        fingerprint=name,
        spec=Spec({}, {}),
        splits={'train': n, 'val': n},
        encoded={'image': channels},
        make=lambda split: Examples([f'{split}-{i}' for i in range(n)], {}, {'image': encoded}),
    )


ALL = {
    'ants': dataset('ants'),
    'bees': dataset('bees', {'train': 10, 'val': 6, 'other': 3}),
    'back': dataset('ants', is_reversed=True),
}


def load(wanted: str | Expression, **others: Dataset) -> Dataset:
    """Returns the dataset of an expression over datasets in memory."""

    def by_name(name: str) -> Dataset:
        if name not in ALL | others:
            raise UserError(f'There is no dataset {name!r}.')
        return (ALL | others)[name]

    return expression.load(wanted, by_name)


def values(found: Examples) -> dict[str, list[int]]:
    """Returns what belongs to each id."""
    return {
        each: [*found.arrays['value'][row].tolist(), int(found.arrays['label'][row])]
        for row, each in enumerate(found.ids)
    }
