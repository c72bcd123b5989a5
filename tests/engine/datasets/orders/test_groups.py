"""Groups of examples drawn in proportions: every stretch of the stream, and each group by itself."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.orders.groups import grouped
from engine.datasets.orders.streams import taken
from tests.engine.random_cases import random_cases

GROUPS = st.lists(st.integers(0, 4), min_size=1, max_size=30)


def draws(groups: np.ndarray, weights: list[float], steps: int, batch_size: int = 8) -> np.ndarray:
    stream = grouped(groups, np.array(weights), batch_size, seed=1)
    return np.concatenate([stream.indices(step) for step in range(steps)])


@random_cases(12)
@given(GROUPS, st.lists(st.floats(0.01, 100), min_size=5, max_size=5))
def test_every_stretch_holds_the_groups_in_proportion(members: list[int], weights: list[float]) -> None:
    groups = np.array(members)
    drawn = groups[draws(groups, weights, 60)]
    present = np.isin(np.arange(5), groups)
    shares = np.where(present, weights, 0) / np.where(present, weights, 0).sum()
    counts = np.cumsum(np.arange(5) == drawn[:, None], axis=0)
    expected = shares * np.arange(1, len(drawn) + 1)[:, None]
    assert np.abs(counts - expected).max() < 9  # rounded at both ends, over up to 480 epochs, and spread


@random_cases(12)
@given(GROUPS, st.lists(st.floats(0.01, 100), min_size=5, max_size=5))
def test_no_example_returns_before_all_others_of_its_group(members: list[int], weights: list[float]) -> None:
    groups = np.array(members)
    drawn = draws(groups, weights, 60)
    for group in set(members):
        of_group, of_stream = np.flatnonzero(groups == group), drawn[groups[drawn] == group]
        for start in range(0, len(of_stream) - len(of_group) + 1, len(of_group)):
            assert sorted(of_stream[start : start + len(of_group)]) == of_group.tolist()


def test_an_epoch_rounds_each_share() -> None:
    groups = np.repeat([0, 1, 2], [90, 8, 2])
    drawn = draws(groups, [1.0, 1.0, 1.0], steps=50, batch_size=2)
    counts = Counter(groups[drawn].tolist())
    assert sorted(counts.values()) == [33, 33, 34]


def test_one_group_is_shuffled_epochs() -> None:
    drawn = draws(np.zeros(12, int), [3.0], steps=9).reshape(-1, 12)
    assert [sorted(epoch) for epoch in drawn] == [[*range(12)]] * 6
    assert len({tuple(epoch) for epoch in drawn}) == 6


def test_neighbours_are_random() -> None:
    """Groups do not follow one another in a pattern, and pairs of examples are not tied together."""
    groups = np.arange(1000) % 2
    drawn = groups[draws(groups, [1.0, 1.0], steps=2000)]
    repeats = (drawn[1:] == drawn[:-1]).mean()
    assert 0.2 < repeats < 0.6  # 0 where they alternate; independent draws have 0.5
    stream = grouped(np.arange(64), np.ones(64), 8, seed=0)
    partners = {index for step in range(400) for index in stream.indices(step) if 5 in stream.indices(step)}
    assert len(partners) == 64


def test_the_order_is_the_same_in_every_version() -> None:
    """A run continued after an upgrade goes on with the same examples."""
    stream = grouped(np.array([0, 0, 0, 1, 2, 2]), np.array([1.0, 2.0, 3.0]), 6, seed=0)
    assert [stream.indices(step).tolist() for step in (0, 10**6)] == [[5, 3, 1, 4, 3, 4], [5, 3, 4, 3, 0, 4]]


def test_any_step_can_be_asked_for_directly() -> None:
    groups, weights = np.arange(1000) % 7, np.arange(1.0, 8.0)
    used = grouped(groups, weights, 300, seed=5)
    for step in (0, 1, 10**6 + 1, 10**6 - 1):
        used.indices(step)
    fresh = grouped(groups, weights, 300, seed=5)
    np.testing.assert_array_equal(used.indices(10**6), fresh.indices(10**6))
    whole = grouped(groups, weights, 600, seed=5).indices(500_000)
    np.testing.assert_array_equal(whole, np.concatenate([fresh.indices(10**6), fresh.indices(10**6 + 1)]))


def test_seeds_and_parts_have_orders_of_their_own() -> None:
    groups, weights = np.arange(20) % 3, np.array([1.0, 2.0, 3.0])
    streams = [
        grouped(groups, weights, 20, seed, key) for seed, key in [(0, ()), (1, ()), (0, (7,)), (0, (8,))]
    ]
    assert len({tuple(stream.indices(0)) for stream in streams}) == 4


@pytest.mark.parametrize(('start', 'count'), [(0, 1), (2, 1), (2, 2), (3, 6), (5, 9), (6, 3)])
def test_what_stands_at_positions(start: int, count: int) -> None:
    blocks = lambda number: np.arange(3) + 3 * number  # noqa: E731
    assert taken(blocks, 3, start, count).tolist() == [*range(start, start + count)]
