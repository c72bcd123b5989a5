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
        return self._digits(self.value) + self._unit

    def shown_interval(self) -> str:
        """Returns the interval as people read it."""
        low, high = map(self._digits, self.interval)
        return f'{low} to {high}{self._unit}'

    def shown_with(self, deviation: float) -> str:
        """Returns the value, a mean, and the standard deviation around it as people read them."""
        return f'{self._digits(self.value)} ± {self._digits(deviation)}{self._unit}'

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

    @property
    def _unit(self) -> str:
        return ' %' if self.definition.unit == 'fraction' else ''

    def _digits(self, number: float) -> str:
        return f'{100 * number:.2f}' if self.definition.unit == 'fraction' else f'{number:.4f}'
