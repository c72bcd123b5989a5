"""The logs of metrics: a line for each step and for each evaluation. Resuming and stopping rest on them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from engine.runs import json_lines
from engine.training.metrics import StepMetrics

Direction = Literal['min', 'max']
BEST = 'best'  # the name of the best step so far in the record of a checkpoint


def best_step(evaluations: Iterable[Mapping[str, Any]], metric: str, direction: Direction) -> int | None:
    """Returns the step of the best evaluation, the first of equal ones; NaN and infinity are never best."""
    values = {line['step']: line.get(metric) for line in evaluations}
    sign = 1 if direction == 'min' else -1
    finite = [(sign * value, step) for step, value in values.items() if value is not None and isfinite(value)]
    return min(finite)[1] if finite else None


def digests(folder: Path, step: int) -> dict[str, str]:
    """Returns the sha256 of the logs of metrics in `folder`, cut back to a step."""
    names = ('train.jsonl', 'val.jsonl')
    return {
        name: hashlib.sha256(json_lines.up_to(folder / name, step).encode()).hexdigest() for name in names
    }


class MetricLog:
    """The files `train.jsonl`, a line for each step, and `val.jsonl`, a line for each evaluation.

    Args:
      folder: `logs/` of the run.
      step: the step that the run continues from; later lines are dropped.
      epoch: returns how many epochs a number of steps makes.
      best: the step of the best evaluation so far, None if there is none.
    """

    def __init__(self, folder: Path, step: int, epoch: Callable[[int], float], best: int | None = None):
        self._train, self._val = (
            json_lines.JsonLines(folder / f'{name}.jsonl', step) for name in ('train', 'val')
        )
        self._epoch, self._best = epoch, best
        self._evaluations = {line['step']: line for line in json_lines.read(folder / 'val.jsonl')}

    def write_steps(self, metrics: StepMetrics) -> None:
        """Appends a line for each step."""
        for step, values in metrics.lines():
            self._train.write({'step': step, 'epoch': self._epoch(step)} | values)
        self._train.flush()

    def write_evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends the line of an evaluation."""
        self._evaluations[step] = {'step': step, 'epoch': self._epoch(step)} | dict(metrics)
        self._val.write(self._evaluations[step])
        self._val.flush()

    def has_evaluation(self, step: int) -> bool:
        """Whether the log holds the evaluation after `step`."""
        return step in self._evaluations

    def note_best(self, metric: str, direction: Direction) -> bool:
        """Notes the newest evaluation as best so far if it is better, and returns whether it is."""
        newest = max(self._evaluations)
        rivals = [self._evaluations[step] for step in {self._best, newest} if step in self._evaluations]
        is_better = newest != self._best and best_step(rivals, metric, direction) == newest
        self._best = newest if is_better else self._best
        return is_better

    def record(self) -> dict[str, str]:
        """Returns what a checkpoint records: the sha256 of both files, and the best step so far."""
        digests = {'train.jsonl': self._train.digest(), 'val.jsonl': self._val.digest()}
        return digests | {BEST: '' if self._best is None else str(self._best)}

    def close(self) -> None:
        """Closes both files."""
        self._train.close()
        self._val.close()
