"""A dataset that a program makes: its splits, its fingerprint, and expressions over it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from engine.datasets.expressions import expression
from engine.datasets.expressions.generated import generated
from engine.datasets.load import load
from engine.datasets.reading.dataset import Dataset
from engine.parts.datasets import First, Fold

SPLITS = {'train': 6, 'val': 3, 'test': 3}


@dataclass(frozen=True)
class Squares:
    """Numbers and their squares, as one of several programs makes them."""

    shift: int = 0
    dtype: str = 'int32'
    ids: str = 'square'
    classes: tuple[str, ...] = ('even', 'odd')
    note: str = 'a note'
    text: str = 'Squares()'
    slug: str = 'squares'

    def names(self) -> tuple[str, ...]:
        return ()

    def toy(self) -> 'Squares':
        return self

    def load(self, load: Any) -> Dataset:
        numbers = np.arange(12)
        squares = np.stack([numbers, numbers**2 + self.shift], axis=1).astype(self.dtype)
        ids = [f'{self.ids}-{number}' for number in numbers]
        arrays = {'square': squares, 'label': numbers.astype(np.int32) % 2}
        return generated(self, ids, arrays, SPLITS, {'label': self.classes}, {'note': self.note})


def test_splits_follow_one_another() -> None:
    data = Squares().load(load)
    assert data.splits == SPLITS
    rows = [row for name in SPLITS for row in data.split(name).arrays['square'].tolist()]
    assert rows == [[number, number**2] for number in range(12)]
    assert data.split('val').ids == ['square-6', 'square-7', 'square-8']
    assert (data.spec.example['square'].shape, data.spec.example['square'].dtype) == ((2,), np.int32)
    assert (data.spec.example['label'].shape, data.spec.class_names) == ((), {'label': ('even', 'odd')})
    assert (data.name, data.sources, data.members) == ('Squares()', (), {})


@pytest.mark.parametrize(
    'change', [{'shift': 1}, {'dtype': 'int64'}, {'ids': 'other'}, {'classes': ('a', 'b')}, {'note': ''}]
)
def test_the_fingerprint_is_that_of_the_examples(change: dict[str, Any]) -> None:
    fingerprint = Squares().load(load).fingerprint
    assert fingerprint == replace(Squares(), text='Other()').load(load).fingerprint
    assert fingerprint != replace(Squares(), **change).load(load).fingerprint


def test_expressions_over_a_dataset_that_a_program_makes() -> None:
    folds = [Fold(Squares(), fold, 3, tuple(SPLITS)).load(load_member) for fold in range(3)]
    tested = sorted(each for fold in folds for each in fold.split('test').ids)
    assert tested == sorted(f'square-{number}' for number in range(12))
    assert len({fold.fingerprint for fold in folds}) == 3
    first = First(Squares(), 2).load(load_member)
    assert (first.splits['train'], first.name) == (2, 'First(Squares(), 2)')
    assert expression.label(Squares()) == 'squares'


def load_member(dataset: Any) -> Dataset:
    return expression.load(dataset, load)
