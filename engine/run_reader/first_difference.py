"""The first number in which the logs of two runs differ, step by step and to the bit."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.runs import json_lines

LOGS = ('train.jsonl', 'val.jsonl')  # a step is trained before the evaluation after it
_LAST = 'epoch'  # it follows from the step, so a metric tells more

Lines = Mapping[int, Mapping[str, Any]]


class LogDifference(NamedTuple):
    """A number in which two logs differ.

    Attributes:
      file: 'train.jsonl' or 'val.jsonl'.
      step: of the line.
      quantity: name of the number, such as 'loss'.
      values: the number in each run; None for NaN, infinity and where the line lacks it.
    """

    file: str
    step: int
    quantity: str
    values: tuple[Any, Any]

    @property
    def text(self) -> str:
        """The difference in words.

        >>> LogDifference('train.jsonl', 3, 'loss', (0.5, 0.75)).text
        'step 3: loss was 0.5, is 0.75 (train.jsonl)'
        """
        old, new = ('not a finite number' if value is None else repr(value) for value in self.values)
        return f'step {self.step:,}: {self.quantity} was {old}, is {new} ({self.file})'


def first_difference(one: Path, other: Path, up_to: int | None = None) -> LogDifference | None:
    """Returns the first number in which the logs of two runs differ; None if all are equal to the bit.

    Lines are compared by step where both logs hold one. Of several lines of one step, the last one counts.

    Args:
      one: a run folder.
      other: another one.
      up_to: the last step to compare, None for all.
    """
    return next(differences(one, other, up_to), None)


def differences(one: Path, other: Path, up_to: int | None = None) -> Iterator[LogDifference]:
    """Yields all numbers in which the logs of two runs differ, as `first_difference` compares them."""
    pairs = [(_lines(one, name), _lines(other, name)) for name in LOGS]
    steps = sorted(
        (step, index)
        for index, (old, new) in enumerate(pairs)
        for step in old.keys() & new.keys()
        if up_to is None or step <= up_to
    )
    for step, index in steps:
        old, new = (lines[step] for lines in pairs[index])
        for name in sorted(dict.fromkeys([*old, *new]), key=_LAST.__eq__):
            if json.dumps(old.get(name)) != json.dumps(new.get(name)) or (name in old) != (name in new):
                yield LogDifference(LOGS[index], step, name, (old.get(name), new.get(name)))


def common_steps(one: Path, other: Path, up_to: int | None = None) -> tuple[list[int], list[int]]:
    """Returns the steps that both train.jsonl hold, and the evaluated steps that both val.jsonl hold."""
    train, val = (
        sorted(
            step
            for step in _lines(one, name).keys() & _lines(other, name).keys()
            if up_to is None or step <= up_to
        )
        for name in LOGS
    )
    return train, val


def _lines(run: Path, name: str) -> Lines:
    return {line['step']: line for line in json_lines.read(run / 'logs' / name)}
