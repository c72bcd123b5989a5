"""A number, what it means and how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Definition:
    """What a number means.

    Attributes:
      title: its name for people.
      unit: 'fraction', from 0 to 1 and shown in percent, or another unit.
      direction: which is better, 'higher' or 'lower'; '' where neither is.
      definition: one sentence.
      source: where it is from.
    """

    title: str
    unit: str
    direction: str
    definition: str
    source: str


@dataclass(frozen=True)
class Metric:
    """A number with the low and the high end of its interval."""

    value: float
    interval: Sequence[float]
    definition: Definition

    def shown(self) -> str:
        """Returns the value as people read it."""
        return self.digits(self.value) + self._unit

    def shown_interval(self) -> str:
        """Returns the interval as people read it."""
        low, high = map(self.digits, self.interval)
        return f'{low} to {high}{self._unit}'

    def shown_with_interval(self) -> str:
        """Returns the value with its interval in brackets, for a column whose title tells the unit."""
        low, high = map(self.digits, self.interval)
        return f'{self.digits(self.value)} ({low} to {high})'

    def with_title(self) -> str:
        """Returns the title, the value and the interval as people read them, for the head of a figure."""
        return f'{self.definition.title} {self.shown()} ({self.shown_interval()})'

    def as_json(self) -> dict[str, Any]:
        """Returns what metrics.json says of it."""
        return {
            'value': self.value,
            'interval': list(self.interval),
            'unit': self.definition.unit,
            'direction': self.definition.direction,
            'definition': self.definition.definition,
            'source': self.definition.source,
        }

    def digits(self, number: float) -> str:
        """Returns a number of this metric's kind as people read it, without its unit."""
        if self.definition.unit == 'fraction':
            return f'{100 * number:.2f}'
        return f'{number:.4f}' if number == 0 or 1e-3 <= abs(number) < 1e6 else f'{number:.4g}'

    @property
    def _unit(self) -> str:
        return ' %' if self.definition.unit == 'fraction' else ''
