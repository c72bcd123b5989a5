"""Medians of pairs and their intervals."""

from math import comb

import numpy as np
import pytest

from benchmarks import report


@pytest.mark.parametrize(
    ('count', 'rank'),
    [(1, 1), (5, 1), (6, 1), (8, 1), (9, 2), (15, 4), (20, 6), (31, 10), (100, 40)],  # as in printed tables
)
def test_an_interval_reaches_from_the_rank_of_the_sign_test(count: int, rank: int) -> None:
    numbers = np.random.default_rng(0).permutation(count) + 1.0
    interval = report.median_interval(numbers.tolist())
    assert (interval.low, interval.high, interval.count) == (rank, count + 1 - rank, count)
    assert interval.median == (count + 1) / 2


@pytest.mark.parametrize('count', [6, 15, 16, 40])
def test_an_interval_misses_the_median_in_at_most_one_of_twenty_cases(count: int) -> None:
    rank = int(report.median_interval([*map(float, range(1, count + 1))]).low)
    missed = [2 * sum(comb(count, below) for below in range(end)) / 2**count for end in (rank, rank + 1)]
    assert missed[0] <= 0.05 < missed[1]


def test_ratios_are_of_pairs_not_of_medians() -> None:
    # The machine was slow in the second pair, for both.
    interval = report.pair_ratios([1, 10, 2], [2, 20, 1])
    assert (interval.median, interval.low, interval.high) == (0.5, 0.5, 2)
    with pytest.raises(ValueError, match='zip'):
        report.pair_ratios([1.0], [1.0, 2.0])


def test_bounds_say_whether_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    speed = report.median_interval([0.96, 0.97, 0.99])
    bounds = {
        'speed': report.Bound.of(speed, at_least=0.97),
        'share': report.Bound(0.011, at_most=0.01),
        'tokens/s': report.Bound(19012.3),
    }
    values = report.print_bounds(bounds)
    assert values['share']['at_most'] == 0.01
    assert (values['speed']['low'], values['speed']['count']) == (0.96, 3)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ['speed', '0.97', '(0.96', 'to', '0.99)', 'at', 'least', '0.97', 'holds'],
        ['share', '0.011', 'at', 'most', '0.01', 'FAILS'],
        ['tokens/s', '19,012'],
    ]
