"""Patience: where it stops, against a loop that counts, and what it says."""

import math
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.parts.stopping import Patience
from tests.engine.random_cases import random_cases

NAN = math.nan


def lines(*values: float, name: str = 'loss') -> list[dict[str, float]]:
    return [{'step': 4 * index, name: value} for index, value in enumerate(values)]


def stops_after(patience: Patience, values: list[float]) -> int | None:
    """Returns the number of evaluations after which a training stops, None if it does not."""
    counts = range(1, len(values) + 1)
    return next((n for n in counts if patience.reason(lines(*values[:n], name=patience.metric))), None)


SEQUENCES: dict[str, tuple[dict[str, Any], list[float], int | None]] = {
    'always better': ({}, [5, 4, 3, 2, 1], None),
    'never better': ({}, [1, 2, 3, 4], 3),
    'equal is not better': ({}, [1, 1, 1], 3),
    'the first is the best, as at step 0': ({}, [0.5, 0.9, 0.8, 0.7], 3),
    'better than the best, not than the one before': ({}, [1, 3, 2, 1.5], 3),
    'an improvement begins again': ({}, [2, 3, 1, 4, 5], 5),
    'higher is better': ({'direction': 'max'}, [1, 2, 1, 1], 4),
    'changes that are too small': ({'min_change': 0.5}, [3, 2.6, 2.5], 3),
    'a change of exactly the minimum is too small': ({'min_change': 0.5}, [3, 2.5, 2.5], 3),
    'small changes add up': ({'min_change': 0.5}, [3, 2.75, 2.25, 2, 1.5], None),
    'NaN is not better': ({}, [2, NAN, NAN, 1], 3),
    'NaN at first is worse than any number': ({}, [NAN, 9, NAN, 8, NAN], None),
    'nothing but NaN': ({}, [NAN, NAN, NAN], 2),
    'one evaluation': ({'evaluations': 1}, [1, 2], 2),
}


@pytest.mark.parametrize('name', SEQUENCES)
def test_where_patience_ends(name: str) -> None:
    arguments, values, expected = SEQUENCES[name]
    settings: dict[str, Any] = {'evaluations': 2} | arguments
    assert stops_after(Patience(**settings), values) == expected


@random_cases(100)
@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, NAN]), max_size=12),
    st.integers(1, 4),
    st.sampled_from(['min', 'max']),
    st.sampled_from([0.0, 0.25]),
)
def test_patience_is_the_distance_to_the_last_better_value(
    values: list[float], evaluations: int, direction: Literal['min', 'max'], min_change: float
) -> None:
    def improves(index: int, best: list[float]) -> bool:
        value = values[index]
        gains = [old - value if direction == 'min' else value - old for old in best[-1:]]
        return not math.isnan(value) and all(gain > min_change for gain in gains)

    best: list[float] = []
    expected, last = None, -1
    for index in range(len(values)):
        if improves(index, best):
            best, last = [values[index]], index
        if index - last >= evaluations and expected is None:
            expected = index + 1
    assert stops_after(Patience('loss', evaluations, direction, min_change), values) == expected


@pytest.mark.parametrize(
    ('metric', 'evaluations', 'reason'),
    [
        ('loss', 5, 'no better val loss in 5 evaluations'),
        ('test/accuracy', 1, 'no better test/accuracy in 1 evaluation'),
    ],
)
def test_the_reason_is_said(metric: str, evaluations: int, reason: str) -> None:
    values = lines(*[1.0] * 6, name=metric)
    assert Patience(metric, evaluations).reason(values) == reason
    assert Patience(metric, evaluations).reason([]) == ''
    assert Patience(metric, evaluations).metrics == (metric,)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'evaluations': 0}, 'Patience.evaluations = 0: it must be at least 1.'),
        ({'min_change': -0.1}, 'Patience.min_change = -0.1: it must be at least 0.'),
        ({'min_change': NAN}, 'Patience.min_change = nan: it must be at least 0.'),
    ],
)
def test_numbers_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        Patience(**arguments)
    assert str(error.value) == message
