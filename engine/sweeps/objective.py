"""What a sweep compares its runs by: a metric of their evaluations, and which direction is better."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.runs import json_lines

MAX, MIN = 'max', 'min'


@dataclass(frozen=True)
class Objective:
    """A metric of val.jsonl.

    Attributes:
      metric: its name. A name without a set, such as `loss`, also means that of the first set: `val/loss`.
      mode: 'max' if higher is better, 'min' if lower is.
    """

    metric: str
    mode: str

    def best(self, run: Path) -> float | None:
        """Returns the best value that a run has reached; None if it has no finite one."""
        values = [value for value in self.values(run).values() if math.isfinite(value)]
        return (min if self.mode == MIN else max)(values) if values else None

    def at(self, run: Path, step: int) -> float | None:
        """Returns the value of the last evaluation up to a step; None if that is not a finite number."""
        values = [value for evaluated, value in self.values(run).items() if evaluated <= step]
        return values[-1] if values and math.isfinite(values[-1]) else None

    def values(self, run: Path) -> dict[int, float]:
        """Returns the value of each evaluation by its step, NaN where it is not a finite number."""
        lines = json_lines.read(run / 'logs' / 'val.jsonl')
        return {line['step']: self._value(line) for line in lines}

    def loss(self, value: float) -> float:
        """Returns a number that is lower for better values."""
        return value if self.mode == MIN else -value

    def _value(self, line: Mapping[str, Any]) -> float:
        of_sets = (name for name in line if name.endswith(f'/{self.metric}'))
        value = line.get(self.metric if self.metric in line else next(of_sets, ''))
        return float(value) if isinstance(value, int | float) else math.nan


def parse(text: str) -> Objective:
    """Reads `--metric`.

    >>> parse('-loss')
    Objective(metric='loss', mode='min')
    """
    return Objective(text.removeprefix('-'), MIN if text.startswith('-') else MAX)
