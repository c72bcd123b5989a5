"""What training writes down as it goes: metrics, times, TensorBoard events, a line for whoever watches."""

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from engine.interfaces import Metrics
from engine.runs import faults, json_lines, logs
from engine.training.metrics import Pending
from engine.training.observers.progress import Progress

Direction = Literal['min', 'max']
Function = TypeVar('Function', bound=Callable[..., Any])


class Clock:
    """Seconds spent by kind of work: functions are wrapped once, and the loop knows nothing of it."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def timed(self, kind: str, function: Function) -> Function:
        """Returns the function with its time counted under `kind`."""

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = time.monotonic()
            try:
                return function(*args, **kwargs)
            finally:
                self._seconds[kind] = self._seconds.get(kind, 0.0) + time.monotonic() - start

        return wrapper  # type: ignore[return-value]

    def lap(self) -> dict[str, float]:
        """Returns the seconds by kind since the last lap, and the whole of them as `total`."""
        now = time.monotonic()
        seconds, self._seconds = self._seconds, {}
        total, self._since = now - self._since, now
        return {kind: round(value, 4) for kind, value in (seconds | {'total': total}).items()}


def best_step(evaluations: Iterable[Mapping[str, Any]], metric: str, direction: Direction) -> int | None:
    """Returns the step of the best evaluation, of equal ones the first; NaN and infinity never are."""
    finite = [line for line in evaluations if line[metric] is not None and math.isfinite(line[metric])]
    sign = 1 if direction == 'min' else -1
    return min(finite, key=lambda line: (sign * line[metric], line['step']))['step'] if finite else None


def digests(folder: Path, step: int) -> dict[str, str]:
    """Returns the sha256 of the logs of metrics in `folder`, cut back to a step."""
    names = ('train.jsonl', 'val.jsonl')
    texts = {name: json_lines.up_to(folder / name, step) for name in names}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


class NonFinite(Exception):  # noqa: N818 (an event, and handled as one)
    """A metric of a training step is NaN or infinite."""

    def __init__(self, step: int, metric: str, value: float):
        super().__init__(f'step {step}: {metric} is {value}')
        self.step = step


def _check_finite(step: int, metrics: Mapping[str, float]) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NonFinite(step, name, value)


class Journal:
    """The logs of one run, from a step on.

    Args:
      folder: `logs/` of the run.
      step: what the run goes on from; lines after it are dropped.
      epoch: epochs that a number of steps makes.
      examples: examples per step.
      progress: shows how far the run is.
      moved: called whenever something has moved, with the newest step known to be done.
      nonfinite: 'stop' raises `NonFinite` at the first step with a metric that is no finite number.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        epoch: Callable[[int], float],
        examples: int,
        progress: Progress,
        moved: Callable[[int | None], None],
        nonfinite: Literal['stop', 'skip'],
    ):
        self._train, self._val, self._time = (
            json_lines.JsonLines(folder / f'{name}.jsonl', step) for name in ('train', 'val', 'time')
        )
        self._events = logs.Events(folder, step)
        self._epoch, self._examples, self._progress, self._moved = epoch, examples, progress, moved
        self._stops = nonfinite == 'stop'
        self._pending, self._lapped_at = Pending(), step
        self._evaluations = {line['step']: line for line in json_lines.read(folder / 'val.jsonl')}
        self.clock = Clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.flush()
        for each in (self._train, self._val, self._time, self._events, self._progress):
            each.close()

    def begin(self) -> None:
        """Counts time from here: what came before was setting up."""
        self.clock.lap()
        self._progress.begin()

    def trained(self, step: int, metrics: Metrics) -> None:
        """Notes the metrics of the steps after `step`, still on the device; writes those of earlier ones."""
        self._moved(None)
        self._pending.add(step, metrics)
        self._write(self._pending.due())

    def flush(self) -> None:
        """Waits for the device and writes all metrics noted so far."""
        self._write(self._pending.all())

    def _write(self, lines: list[tuple[int, dict[str, float]]]) -> None:
        faults.point('log')
        for step, metrics in lines:
            if self._stops:
                _check_finite(step, metrics)
            self._train.write({'step': step, 'epoch': self._epoch(step)} | metrics)
            self._events.write('train', step, metrics)
        if lines:
            self._train.flush()
            step, metrics = lines[-1]
            self._progress.trained(step, metrics)
            self._moved(step)

    def evaluated(self, step: int, metrics: dict[str, float]) -> None:
        """Writes the metrics of an evaluation, and where the time since the last one went."""
        self._moved(step)
        self._evaluations[step] = {'step': step, 'epoch': self._epoch(step)} | metrics
        self._val.write(self._evaluations[step])
        self._val.flush()
        self._events.write('val', step, metrics)
        self._events.flush()
        self._progress.evaluated(step, metrics)
        self._lap(step)

    def has_evaluated(self, step: int) -> bool:
        """Whether the evaluation of a step is in the log."""
        return step in self._evaluations

    def is_best(self, metric: str, direction: Direction) -> bool:
        """Whether the newest evaluation is better than all before it."""
        return best_step(self._evaluations.values(), metric, direction) == max(self._evaluations)

    def digests(self) -> dict[str, str]:
        """Returns the sha256 of the logs of metrics as they stand."""
        return {'train.jsonl': self._train.digest(), 'val.jsonl': self._val.digest()}

    def _lap(self, step: int) -> None:
        seconds = self.clock.lap()
        rate = (step - self._lapped_at) * self._examples / max(seconds['total'], 1e-9)
        self._time.write({'step': step, 'seconds': seconds, 'examples_per_second': round(rate, 1)})
        self._time.flush()
        self._lapped_at = step
