"""A number, what it means and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DASH = '–'  # noqa: RUF001 (an en dash, in place of a number that is not defined)


@dataclass(frozen=True)
class Definition:
    """What a number means.

    Attributes:
      title: its name for people.
      unit: 'fraction', from 0 to 1 and shown in percent; 'of 100', shown with two decimals; or another unit.
      direction: which is better, 'higher' or 'lower'; '' where neither is.
      definition: one sentence.
      source: where it is from.
      group: heading under which reports list it; '' for the main metrics.
      undefined: when it has no value, as the end of a sentence, such as 'all labels are the same class'; ''
        if it always has one.
    """

    title: str
    unit: str
    direction: str
    definition: str
    source: str
    group: str = ''
    undefined: str = ''


@dataclass(frozen=True)
class Metric:
    """A number with the low and the high end of its interval. Each is NaN where it is not defined.

    Attributes:
      value: the number.
      interval: its low and its high end.
      definition: what the number means.
      note: a sentence on what is not defined, or ''.
    """

    value: float
    interval: Sequence[float]
    definition: Definition
    note: str = ''

    def shown(self) -> str:
        """Returns the value as people read it; a dash if it is not defined."""
        return self.digits(self.value) + self._unit * (not math.isnan(self.value))

    def shown_interval(self) -> str:
        """Returns the interval as people read it; a dash if it is not defined."""
        if any(map(math.isnan, self.interval)):
            return DASH
        low, high = map(self.digits, self.interval)
        return f'{low} to {high}{self._unit}'

    def shown_with_interval(self) -> str:
        """Returns the value with its interval in brackets, for a column whose title tells the unit."""
        low, high = map(self.digits, self.interval)
        known = not any(map(math.isnan, self.interval))
        return self.digits(self.value) + f' ({low} to {high})' * known

    def with_title(self) -> str:
        """Returns the title, the value and the interval as people read them, for the head of a figure."""
        return f'{self.definition.title} {self.shown()} ({self.shown_interval()})'

    def as_json(self) -> dict[str, Any]:
        """Returns what metrics.json says of it."""
        return {
            'title': self.definition.title,
            'value': _or_none(self.value),
            'interval': [_or_none(end) for end in self.interval],
            'unit': self.definition.unit,
            'direction': self.definition.direction,
            'definition': self.definition.definition,
            'source': self.definition.source,
            'group': self.definition.group,
        } | ({'note': self.note} if self.note else {})

    def digits(self, number: float) -> str:
        """Returns a number of this metric's kind as people read it, without its unit; a dash for NaN."""
        if math.isnan(number):
            return DASH
        if self.definition.unit == 'fraction':
            return f'{100 * number:.2f}'
        if self.definition.unit == 'of 100':
            return f'{number:.2f}'
        return f'{number:.4f}' if number == 0 or 1e-3 <= abs(number) < 1e6 else f'{number:.4g}'

    @property
    def _unit(self) -> str:
        return ' %' if self.definition.unit == 'fraction' else ''


def not_defined(titles: Sequence[str], reason: str) -> str:
    """Returns a sentence on metrics that are not defined.

    >>> not_defined(['AP small', 'AR small'], 'no target is small')
    'AP small and AR small are not defined: no target is small.'

    Args:
      titles: of the metrics, at least one.
      reason: `Definition.undefined`.
    """
    *others, last = titles
    subject = f'{", ".join(others)} and {last} are' if others else f'{last} is'
    return f'{subject} not defined{f": {reason}" if reason else ""}.'


def _or_none(number: float) -> float | None:
    """Returns a number for JSON, which has no NaN."""
    return None if math.isnan(number) else number
