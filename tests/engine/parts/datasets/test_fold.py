"""Folds are disjoint, complete and the same on every machine."""

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.parts.datasets import First, Fold, Mixture, Named
from tests.engine.parts.datasets import members
from tests.engine.random_cases import random_cases

POOL = {f'train-{i}' for i in range(40)} | {f'val-{i}' for i in range(12)}


@random_cases(15)
@given(st.integers(3, 52), st.booleans())
def test_each_example_is_tested_once_and_never_twice_in_a_fold(folds: int, with_test: bool) -> None:
    splits = ('train', 'val', 'test') if with_test else ('train', 'val')
    pool = POOL | ({f'test-{i}' for i in range(8)} if with_test else set())
    tested = []
    for fold in range(folds):
        data = members.load(Fold('ants', fold, folds, splits))
        ids = {name: data.split(name).ids for name in ('train', 'val', 'test')}
        assert {name: len(each) for name, each in ids.items()} == data.splits
        assert sorted(chain(*ids.values())) == sorted(pool)
        sizes = [len(ids['val']), len(ids['test'])]
        assert all(len(pool) // folds <= size <= -(-len(pool) // folds) for size in sizes)
        tested.append(ids['test'])
    assert sorted(chain(*tested)) == sorted(pool)


def test_the_next_fold_chooses_the_checkpoint() -> None:
    folds = [members.load(Fold('ants', fold, 4)) for fold in range(4)]
    tests = [data.split('test').ids for data in folds]
    assert [data.split('val').ids for data in folds] == [*tests[1:], tests[0]]


def test_the_folds_are_the_same_on_every_machine() -> None:
    assert members.load(Fold('bees', 0, 5)).split('test').ids == ['train-3', 'val-3', 'val-2', 'train-7']
    assert members.load(Fold('bees', 3, 5)).split('test').ids == ['val-4', 'train-9', 'train-5']


def test_examples_keep_their_values() -> None:
    whole = members.values(members.ALL['ants'].split('train')) | members.values(
        members.ALL['ants'].split('val')
    )
    data = members.load(Fold('ants', 2, 5))
    for name in data.splits:
        assert members.values(data.split(name)).items() <= whole.items()


def test_a_split_that_is_not_pooled_cannot_be_reached() -> None:
    data = members.load(Fold('bees', 0, 3, ('train', 'val')))
    ids = [each for name in data.splits for each in data.split(name).ids]
    assert not any(each.startswith('other') for each in ids)
    with pytest.raises(UserError, match="has no split 'other'"):
        data.split('other')


def test_a_fold_of_a_mixture_and_the_first_of_a_fold() -> None:
    mixture = members.load(Fold(Mixture(('ants', 'bees')), 1, 5))
    ids = [each for name in mixture.splits for each in mixture.split(name).ids]
    assert len(ids) == len(set(ids)) == 40 + 12 + 10 + 6
    first = members.load(First(Fold('ants', 1, 5), 6))
    assert first.split('train').ids == members.load(Fold('ants', 1, 5)).split('train').ids[:6]
    assert first.split('test').ids == members.load(Fold('ants', 1, 5)).split('test').ids


def test_images_of_varying_size_follow_their_ids() -> None:
    few = members.varying('few')
    data = members.load(Fold('few', 0, 3), few=few)
    for name in data.splits:
        split = data.split(name)
        expected = [bytes([int(each.split('-')[1])]) * (int(each.split('-')[1]) + 1) for each in split.ids]
        assert list(split.encoded['image']) == expected


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((5, 5), 'Fold.fold = 5: the 5 folds have the numbers 0 to 4.'),
        ((-1, 5), 'Fold.fold = -1: the 5 folds have the numbers 0 to 4.'),
        ((0, 2), 'Fold.folds = 2: it must be at least 3.'),
        ((0, 53), 'Fold.folds = 53: train and val of ants have 52 examples. Take at most 52 folds.'),
        ((0, 3, ('train', 'vall')), "ants has no split 'vall'. Did you mean 'val'?"),
        ((0, 3, ()), 'name at least one split, and each once'),
        ((0, 3, ('train', 'train')), 'name at least one split, and each once'),
    ],
)
def test_a_wrong_value_is_named(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(UserError) as mistake:
        members.load(Fold('ants', *arguments))
    assert message in str(mistake.value)


def test_a_fold_of_several_batches_at_once_is_refused() -> None:
    with pytest.raises(UserError, match='Let Named be the outermost expression'):
        members.load(Fold(Named('ants', extra='bees'), 0, 3))
