"""Which examples a sample holds: the same everywhere, evenly over splits and classes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.checks import sampling
from tests.engine.random_cases import random_cases

IDS = [f'example-{index:05}' for index in range(2000)]


@pytest.mark.parametrize('count', [1, 10, 99, 500, 2000, 5000])
@pytest.mark.parametrize('classes', [None, np.arange(2000) % 10, np.arange(2000) // 200])
def test_a_sample_has_as_many_different_examples(count: int, classes: np.ndarray | None) -> None:
    drawn = sampling.positions(IDS, count, classes)
    assert drawn.tolist() == sorted({*drawn.tolist()})
    assert len(drawn) == min(count, 2000)


def test_a_sample_depends_on_ids_alone() -> None:
    order = np.random.default_rng(0).permutation(2000)
    classes = np.arange(2000) % 7
    drawn = {IDS[row] for row in sampling.positions(IDS, 50, classes)}
    others = [IDS[row] for row in order]
    assert {others[row] for row in sampling.positions(others, 50, classes[order])} == drawn
    assert drawn != {IDS[row] for row in range(50)}


@random_cases(15)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=300), st.integers(1, 300))
def test_classes_keep_their_proportions(labels: list[int], count: int) -> None:
    drawn = sampling.positions(IDS[: len(labels)], count, np.array(labels))
    share = len(drawn) / len(labels)
    numbers = Counter(labels[row] for row in drawn)
    for label, size in Counter(labels).items():
        assert abs(numbers[label] - share * size) <= 1.5


def test_every_class_of_a_large_one_is_drawn() -> None:
    classes = np.arange(2000) % 100
    assert {*classes[sampling.positions(IDS, 100, classes)]} == {*range(100)}


@random_cases(15)
@given(st.dictionaries(st.sampled_from('abcd'), st.integers(0, 10**7)), st.integers(1, 10**5))
def test_splits_keep_their_proportions(splits: dict[str, int], count: int) -> None:
    shares = sampling.shares(splits, count)
    total = sum(splits.values())
    for split, n in splits.items():
        assert min(n, 1) <= shares[split] <= n
        if total >= count:
            assert abs(shares[split] - count * n / max(total, 1)) <= 1
