"""Means and votes against slow loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.outputs.joint import averages
from tests.engine.random_cases import random_cases


def slow_vote(values: list[int]) -> int:
    """Returns the smallest of the values that occur most often."""
    most = max(values.count(value) for value in values)
    return min(value for value in values if values.count(value) == most)


@given(seed=st.integers(0, 2**32 - 1), members=st.integers(1, 7), classes=st.integers(1, 256))
@random_cases(15)
def test_votes_against_a_loop(seed: int, members: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    arrays = list(random.integers(classes, size=(members, 3, 4, 5)).astype(np.uint8))
    chosen = averages.vote(arrays)
    assert chosen.dtype == np.uint8
    for place in np.ndindex(3, 4, 5):
        assert chosen[place] == slow_vote([int(array[place]) for array in arrays])


def test_ties_go_to_the_lowest_and_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = [np.array(values, np.int32) for values in ([9, 2, 300, 0], [1, 2, 299, 0], [5, 3, 300, 1])]
    assert averages.vote(arrays).tolist() == [1, 2, 300, 0]
    monkeypatch.setattr(averages, '_BLOCK_NUMBERS', 1)
    assert averages.vote(arrays).tolist() == [1, 2, 300, 0]


@given(
    st.lists(
        st.lists(st.floats(-2000, 0) | st.just(-math.inf), min_size=3, max_size=3), min_size=1, max_size=5
    )
)
@random_cases(15)
def test_means_of_log_probabilities_against_exact_sums(members: list[list[float]]) -> None:
    result = averages.log_mean_exp([np.array(logs) for logs in members])
    for place, value in enumerate(result):
        logs = [each[place] for each in members]
        largest = max(logs)
        if math.isinf(largest):
            assert value == -math.inf
            continue
        total = math.fsum(math.exp(log - largest) for log in logs)
        assert value == pytest.approx(largest + math.log(total / len(logs)), abs=1e-12)
        assert value <= 0


def test_a_mean_is_computed_in_float64() -> None:
    arrays = [np.full(3, value, np.float16) for value in (1, 1e-3, 65504)]
    assert averages.mean(arrays) == pytest.approx((1 + float(np.float16(1e-3)) + 65504) / 3, rel=1e-15)
