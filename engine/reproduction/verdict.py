"""The verdict on a repetition: the same bits, within the spread of two seeds, or different."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from engine.reproduction.comparison import RunComparison
from engine.reproduction.spread import Distance
from engine.runs.json_lines import json_value

_EQUAL = 'nothing differs in the record of code, config, packages, data, flags and machine.'
_EQUAL_BEFORE_TRAINING = 'code, packages and variables are those of the record; nothing else was compared.'


class Verdict(StrEnum):
    """How close a repetition is to the original."""

    SAME_BITS = 'same_bits'
    WITHIN_SPREAD = 'within_spread'
    DIFFERENT = 'different'


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reasons.

    Attributes:
      comparison: of the run with its repetition.
      distances: of each quantity that differs; () if nothing differs, or if no other seed was trained.
      changes: what differs in code, config, packages, data, flags and machine, a line each.
      notes: what limits the comparison, a sentence each.
    """

    comparison: RunComparison
    distances: Sequence[Distance]
    changes: Sequence[str]
    notes: Sequence[str]

    @property
    def verdict(self) -> Verdict | None:
        """How close the repetition is; None if it has not begun."""
        if not self.comparison.has_begun:
            return None
        if self.comparison.is_equal:
            return Verdict.SAME_BITS
        are_within = all(distance.is_within for distance in self.distances)
        return Verdict.WITHIN_SPREAD if self.distances and are_within else Verdict.DIFFERENT

    def lines(self) -> list[str]:
        """Returns the verdict in words, with the reasons, the verdict last."""
        lines = [f'note: {note}.' for note in self.notes]
        lines.append(f'compared: {self.comparison.compared}')
        if self.changes:
            lines += ['what differs in the record:', *(f'  {line}' for line in self.changes)]
        elif not self.comparison.is_equal:
            lines.append(_EQUAL if self.comparison.has_begun else _EQUAL_BEFORE_TRAINING)
        if self.distances:
            lines.append('root mean square of the differences, and the same of two seeds:')
            lines += [f'  {_words(distance)}' for distance in self.distances]
        return [*lines, f'verdict: {self._sentence()}']

    def _sentence(self) -> str:
        difference = self.comparison.difference
        return {
            None: f'none, {difference}',
            Verdict.SAME_BITS: 'the same bits',
            Verdict.WITHIN_SPREAD: f'the same within the spread of two seeds, first differs at {difference}',
            Verdict.DIFFERENT: f'different, first at {difference}',
        }[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """Returns the judgement as JSON can hold it."""
        first = self.comparison.first
        return {
            'verdict': self.verdict,
            'steps': list(self.comparison.steps),
            'evaluations': list(self.comparison.evaluations),
            'outputs': dict(self.comparison.outputs),
            'metrics': dict(self.comparison.metrics),
            'first_difference': first._asdict() if first else None,
            'difference': self.comparison.difference,
            'changes': list(self.changes),
            'distances': [
                {name: json_value(value) for name, value in asdict(distance).items()}
                | {'is_within': distance.is_within}
                for distance in self.distances
            ],
            'notes': list(self.notes),
        }


def _words(distance: Distance) -> str:
    outside = '' if distance.is_within else ', outside'
    return f'{distance.quantity} ({distance.file}): {distance.repeated:.3g}, {distance.seeds:.3g}{outside}'
