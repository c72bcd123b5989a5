"""The metric log: lines of training steps and of evaluations. Resuming and early stopping depend on it.

A line of `train.jsonl` is a mean over a block of steps. A checkpoint inside a block records the sums of the
open block, so that a resumed run writes the same line. If the training ends inside a block, the log ends
with a short line. A run that resumes with more steps removes this line and completes the block. Therefore a
checkpoint records the sha256 of the log without a short line.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, Literal

from engine.runs import json_lines
from engine.training.logs.metrics import BlockMeans, Line, StepMetrics

Direction = Literal['min', 'max']
# Names in the record of a checkpoint.
BEST = 'best'  # the best step so far
BLOCK = 'block'  # the open block of steps
FINISHED = 'finished train.jsonl'  # the sha256 of a log that ends with a short line


def best_step(evaluations: Iterable[Mapping[str, Any]], metric: str, direction: Direction) -> int | None:
    """Returns the step of the best evaluation, the first of equal ones; NaN and infinity are never best."""
    values = {line['step']: line.get(metric) for line in evaluations}
    sign = 1 if direction == 'min' else -1
    finite = [(sign * value, step) for step, value in values.items() if value is not None and isfinite(value)]
    return min(finite)[1] if finite else None


def whole_blocks(record: Mapping[str, str], step: int) -> int:
    """Returns the last step, up to a checkpoint's, that ends a whole block of the log."""
    return step - BlockMeans(1, step, record.get(BLOCK, '')).steps


def digests(folder: Path, records: Mapping[int, Mapping[str, str]]) -> dict[int, dict[str, str]]:
    """Returns the sha256 of the metric log up to each checkpoint, without a short line, by step and file.

    Args:
      folder: `logs/` of the run.
      records: of the checkpoints, by step.
    """
    blocks = {step: whole_blocks(record, step) for step, record in records.items()}
    train = json_lines.digests(folder / 'train.jsonl', blocks.values())
    val = json_lines.digests(folder / 'val.jsonl', records)
    return {step: {'train.jsonl': train[blocks[step]], 'val.jsonl': val[step]} for step in records}


def has_last_line(folder: Path, step: int, record: Mapping[str, str]) -> bool:
    """Whether the log of a finished training has its last line, if that is short.

    Args:
      folder: `logs/` of the run.
      step: the last of the training.
      record: of its checkpoint.
    """
    return record.get(FINISHED) in (None, json_lines.digests(folder / 'train.jsonl', [step])[step])


class MetricLog:
    """The files `train.jsonl`, a line for each block of steps, and `val.jsonl`, a line for each evaluation.

    Args:
      folder: `logs/` of the run.
      step: the step that the run resumes from; later lines are dropped.
      epoch: returns how many epochs a number of steps makes.
      block: the means over blocks of steps, with the sums of the block in which the run resumes.
      best: the step of the best evaluation so far, None if there is none.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        epoch: Callable[[int], float],
        block: BlockMeans,
        best: int | None = None,
    ):
        self._train = json_lines.JsonLines(folder / 'train.jsonl', step - block.steps)
        self._val = json_lines.JsonLines(folder / 'val.jsonl', step)
        self._epoch, self._block, self._best = epoch, block, best
        lines = json_lines.read(folder / 'val.jsonl')
        self._evaluations = {line['step']: _with_nan(line) for line in lines}
        self._whole_blocks = ''  # the sha256 of the lines before a short one
        self._write(block.short(step))

    def write_steps(self, metrics: StepMetrics) -> list[Line]:
        """Appends a line for each block that these steps end; returns the lines."""
        return self._write(self._block.add(metrics))

    def end(self, step: int) -> list[Line]:
        """Appends the short line of a training that `Trainer.stop` ends at a step; returns it, if any."""
        return self._write(self._block.end(step))

    def write_evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Appends the line of an evaluation."""
        line = {'step': step, 'epoch': self._epoch(step)} | dict(metrics)
        self._evaluations[step] = _with_nan(line)
        self._val.write(line)
        self._val.flush()

    def has_evaluation(self, step: int) -> bool:
        """Whether the log holds the evaluation after `step`."""
        return step in self._evaluations

    def evaluations(self) -> list[dict[str, Any]]:
        """Returns the lines of all evaluations in their order, NaN for what is not finite.

        They are the same before and after a run resumes, which reads them from the file.
        """
        return list(self._evaluations.values())

    def note_best(self, metric: str, direction: Direction) -> bool:
        """Notes the newest evaluation as best so far if it is better, and returns whether it is."""
        newest = max(self._evaluations)
        rivals = [self._evaluations[step] for step in {self._best, newest} if step in self._evaluations]
        is_better = newest != self._best and best_step(rivals, metric, direction) == newest
        self._best = newest if is_better else self._best
        return is_better

    def record(self) -> dict[str, str]:
        """Returns what a checkpoint records: sha256 of both files, the open block, the best step so far."""
        train, best = self._train.digest(), '' if self._best is None else str(self._best)
        finished = {FINISHED: train} if self._whole_blocks else {}
        return finished | {
            'train.jsonl': self._whole_blocks or train,
            'val.jsonl': self._val.digest(),
            BLOCK: self._block.record(),
            BEST: best,
        }

    def close(self) -> None:
        """Closes both files."""
        self._train.close()
        self._val.close()

    def _write(self, lines: Iterable[Line]) -> list[Line]:
        """Appends lines to `train.jsonl`, and returns them."""
        written, new = [], []
        for step, values in lines:
            if self._block.steps:  # the line is a short one
                self._train.write(*new)
                new, self._whole_blocks = [], self._train.digest()
            new.append({'step': step, 'epoch': self._epoch(step)} | values)
            written.append((step, values))
        self._train.write(*new)
        self._train.flush()
        return written


def _with_nan(line: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a line with NaN for what a file stores as null."""
    return {name: math.nan if json_lines.json_value(value) is None else value for name, value in line.items()}
