"""The logs of metrics: a line for each step and for each evaluation. Resuming and stopping rest on them."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from engine.runs import json_lines
from engine.training.metrics import StepMetrics

Direction = Literal['min', 'max']


def best_step(evaluations: Iterable[Mapping[str, Any]], metric: str, direction: Direction) -> int | None:
    """Returns the step of the best evaluation, the first of equal ones; NaN and infinity are never best."""
    finite = [line for line in evaluations if line[metric] is not None and math.isfinite(line[metric])]
    sign = 1 if direction == 'min' else -1
    return min(finite, key=lambda line: (sign * line[metric], line['step']))['step'] if finite else None


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
    """

    def __init__(self, folder: Path, step: int, epoch: Callable[[int], float]):
        self._train, self._val = (
            json_lines.JsonLines(folder / f'{name}.jsonl', step) for name in ('train', 'val')
        )
        self._epoch = epoch
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

    def is_best(self, metric: str, direction: Direction) -> bool:
        """Whether the newest evaluation is better than all earlier ones."""
        return best_step(self._evaluations.values(), metric, direction) == max(self._evaluations)

    def digests(self) -> dict[str, str]:
        """Returns the sha256 of both files as they are now."""
        return {'train.jsonl': self._train.digest(), 'val.jsonl': self._val.digest()}

    def close(self) -> None:
        """Closes both files."""
        self._train.close()
        self._val.close()
