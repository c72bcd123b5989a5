"""What every benchmark prints: a table of medians and ratios, then the same numbers as a line of JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Self

from engine.render.table import Table, terminal


@dataclass(frozen=True)
class Interval:
    """A median and its 95 % interval.

    Attributes:
      median: of the measurements.
      low: lower end of the interval.
      high: upper end of the interval.
      count: number of measurements.
    """

    median: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f'{self.median:.3f} ({self.low:.3f} to {self.high:.3f})'


@dataclass(frozen=True)
class Bound:
    """A measured number and the limit that it must keep, if there is one.

    Attributes:
      measured: the number.
      at_least: its lower limit.
      at_most: its upper limit.
      low: lower end of its 95 % interval, None where there is none.
      high: upper end of its 95 % interval.
      count: how many measurements it is the median of.
    """

    measured: float
    at_least: float | None = None
    at_most: float | None = None
    low: float | None = None
    high: float | None = None
    count: int | None = None

    @classmethod
    def of(cls, interval: Interval, at_least: float | None = None, at_most: float | None = None) -> Self:
        """Returns the limit of a median and its interval."""
        return cls(interval.median, at_least, at_most, interval.low, interval.high, interval.count)

    def holds(self) -> bool:
        """Whether the number keeps the limit."""
        return (self.at_least is None or self.measured >= self.at_least) and (
            self.at_most is None or self.measured <= self.at_most
        )

    @property
    def verdict(self) -> str:
        """'holds' or 'FAILS', '' without a limit."""
        return '' if not self.limit else 'holds' if self.holds() else 'FAILS'

    @property
    def limit(self) -> str:
        """The limit in words, '' if there is none."""
        if self.at_least is not None:
            return f'at least {self.at_least:g}'
        return f'at most {self.at_most:g}' if self.at_most is not None else ''

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return number(self.measured)
        return f'{number(self.measured)} ({number(self.low)} to {number(self.high)})'


def number(value: float) -> str:
    """Returns a number with three digits, or whole if it is large.

    >>> [number(value) for value in (0.98765, 0.000123, 12.3456, 19012.3)]
    ['0.988', '0.000123', '12.3', '19,012']
    """
    return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.3g}'


def median_interval(numbers: Sequence[float]) -> Interval:
    """Returns the median and its 95 % interval by order statistics, for any distribution.

    The interval reaches from the k-th smallest to the k-th largest number. k is the largest rank with which
    it misses the true median in at most 5 % of cases. Fewer than six numbers allow no such interval; then it
    reaches from the smallest to the largest.
    """
    ordered, n = sorted(numbers), len(numbers)
    below, rank = (
        1.0,
        1,
    )  # of 2**n equally likely cases, those in which fewer than `rank` lie below the median
    while (below := below + math.comb(n, rank)) / 2**n <= 0.025:
        rank += 1
    return Interval(median(ordered), ordered[rank - 1], ordered[-rank], n)


def pair_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Interval:
    """Returns the median of the ratios of pairs, which ran one after the other, and its 95 % interval."""
    return median_interval([a / b for a, b in zip(numerators, denominators, strict=True)])


def print_table(name: str, unit: str, measured: dict[str, list[float]]) -> dict[str, Any]:
    """Prints the median, minimum and maximum of each candidate, and the ratio of medians to the reference.

    Args:
      name: of the benchmark.
      unit: of the numbers.
      measured: the numbers of each candidate, one for each run. The first candidate is the reference.

    Returns:
      The unit, the medians and the ratios.
    """
    medians = {candidate: median(numbers) for candidate, numbers in measured.items()}
    reference = next(iter(medians.values()))
    print(f'{name:24}{unit:>12}{"ratio":>10}{"minimum":>12}{"maximum":>12}')
    for candidate, numbers in measured.items():
        middle = medians[candidate]
        print(
            f'{candidate:24}{middle:12.4g}{middle / reference:10.3f}{min(numbers):12.4g}{max(numbers):12.4g}'
        )
    ratios = {candidate: round(middle / reference, 4) for candidate, middle in medians.items()}
    return {'unit': unit, 'medians': medians, 'ratios': ratios}


def show(titles: Sequence[str], rows: Sequence[Sequence[object]]) -> dict[str, Any]:
    """Prints a table and returns it for JSON, under `tables` of which benchmarks/README.md shows it.

    Args:
      titles: of the columns.
      rows: numbers and texts.
    """
    cells = [[number(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    print(terminal(Table.of(titles, cells)))
    return {'titles': list(titles), 'rows': cells}


def report(name: str, unit: str, measured: dict[str, list[float]]) -> None:
    """Prints a table, then the same numbers as JSON."""
    print(json.dumps({'benchmark': name} | print_table(name, unit, measured)))


def print_bounds(bounds: Mapping[str, Bound]) -> dict[str, dict[str, float | None]]:
    """Prints each number, its interval, its limit and whether it holds; returns the same for JSON."""
    width = max(map(len, bounds), default=0)
    for name, bound in bounds.items():
        print(f'{name:{width}}  {bound!s:24}  {bound.limit:14}  {bound.verdict}'.rstrip())
    return {name: asdict(bound) for name, bound in bounds.items()}
