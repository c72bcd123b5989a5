"""The validation set that is drawn: none is empty, each machine draws the same, few examples ever move."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.building import holding_out
from tests.engine.random_cases import random_cases

CLASSES = st.lists(st.sampled_from('abcd'), max_size=40)


def by_hand(ids: list[str]) -> list[bool]:
    return [int(hashlib.sha256(identity.encode()).hexdigest()[:16], 16) % 10 == 0 for identity in ids]


def test_it_is_the_digest_that_draws() -> None:
    ids = [f'train/rose/{index}.jpg' for index in range(2000)]
    chosen = holding_out.drawn(ids)
    assert chosen.tolist() == by_hand(ids)
    assert 150 < chosen.sum() < 250


@pytest.mark.parametrize('n', range(2, 60))
def test_neither_set_is_ever_empty(n: int) -> None:
    for folder in 'abcdefgh':
        chosen = holding_out.drawn([f'{folder}/{index}' for index in range(n)])
        assert 0 < chosen.sum() < n


@pytest.mark.parametrize('n', [0, 1])
def test_too_few_examples_stay_in_training(n: int) -> None:
    assert not holding_out.drawn(['lonely'][:n]).any()


@random_cases(60)
@given(CLASSES, st.integers(0, 10**6))
def test_each_class_keeps_one_and_gives_one(classes: list[str], start: int) -> None:
    ids = [f'{name}/{start + index}' for index, name in enumerate(classes)]
    chosen = holding_out.drawn(ids, classes)
    if len(ids) > 1:
        assert 0 < chosen.sum() < len(ids)
    for name in set(classes):
        members = chosen[np.array(classes) == name]
        if len(members) >= holding_out.MIN_CLASS:
            assert 0 < members.sum() < len(members)
        elif len(ids) > len(set(classes)):  # some class can spare an example
            assert members.sum() < len(members)
    order = np.random.default_rng(start).permutation(len(ids))
    again = holding_out.drawn([ids[index] for index in order], [classes[index] for index in order])
    assert (again == chosen[order]).all()


@random_cases(30)
@given(CLASSES.filter(len), st.sampled_from('abcd'))
def test_an_added_example_moves_at_most_one_of_its_class(classes: list[str], added: str) -> None:
    ids = [f'{name}/{index}' for index, name in enumerate(classes)]
    before = holding_out.drawn(ids, classes)
    after = holding_out.drawn([*ids, f'{added}/new'], [*classes, added])[:-1]
    assert (before != after).sum() <= 2
