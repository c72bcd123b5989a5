"""Several seeds of a method: what they say together, and how sure that is."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.paired import bootstrap_p
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition, Metric

BOOTSTRAP = Bootstrap(4000, 0.95, 0)
SCORE = Definition('score', 'points', 'higher', 'It.', 'here')


def method(values: Any, place: int, noise: float = 0.0, unit: str = 'points') -> Method:
    """Returns seeds with these values, which other examples would move by `noise`, all of them alike."""
    moved = np.random.default_rng(9).normal(0, noise, BOOTSTRAP.resamples)
    definition = Definition('score', unit, 'higher', 'It.', 'here')
    reports: Any = [
        SimpleNamespace(
            metrics={'score': Metric(float(value), (0, 0), definition)},
            resamples={'score': value + moved},
            bootstrap=BOOTSTRAP,
        )
        for value in values
    ]
    return Method([], reports, place)


def test_the_interval_of_the_mean_of_seeds_is_that_of_student() -> None:
    values = [1.0, 2.0, 4.0, 4.5]
    result = method(values, 0).metric('score')
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert result.value == np.mean(values)
    assert result.interval == pytest.approx(expected, abs=0.2)


def test_of_one_seed_and_of_equal_seeds_examples_alone_tell() -> None:
    one, equal = method([3.0], 0, noise=1), method([3.0, 3.0], 1, noise=1)
    np.testing.assert_allclose(one.resamples('score'), equal.resamples('score'))


def test_a_share_stays_one() -> None:
    low, high = method([0.99, 0.9], 0, unit='fraction').metric('score').interval
    assert 0 <= low < 0.945 < high <= 1


@pytest.mark.parametrize('seeds', [2, 3, 5])
def test_equal_methods_are_rarely_told_apart(seeds: int) -> None:
    """Whatever the luck of their seeds; examples are many, so that they alone would be sure."""
    random, significant = np.random.default_rng(seeds), 0
    for _ in range(300):
        one, other = (method(random.normal(0, 1, seeds), place, noise=0.01) for place in range(2))
        significant += bootstrap_p(one.resamples('score') - other.resamples('score'), 5000) < 0.05
    assert significant / 300 < 0.08


def test_methods_that_differ_are_told_apart() -> None:
    one, other = method([90.1, 90.3, 90.2], 0, noise=0.1), method([93.0, 93.3, 93.1], 1, noise=0.1)
    assert bootstrap_p(one.resamples('score') - other.resamples('score'), 5000) < 0.01
