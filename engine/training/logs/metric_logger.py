"""What the loop hands its metrics to: checked, written, and passed on to observers."""

import math
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Literal, Self

import numpy as np

from engine.interfaces import State
from engine.runs import faults
from engine.training.logs.clock import LOG, Clock
from engine.training.logs.metric_log import MetricLog
from engine.training.logs.metrics import InFlightMetrics, Line, StepMetrics
from engine.training.logs.packed import PackedMetrics, unpack
from engine.training.observers.observer import Observer


class NonFinite(Exception):  # noqa: N818 (an event that the trainer handles)
    """A metric of a training step is NaN or infinite."""

    def __init__(self, step: int, metric: str, value: float):
        super().__init__(f'step {step}: {metric} is {value}')
        self.step = step


class MetricLogger:
    """Takes the metrics of the loop, checks that they are finite, writes them and hands them to the observer.

    Leaving the context without an error waits for the device and writes the metrics still on it.

    Args:
      log: the metric log.
      clock: counts where the time goes.
      observer: gets everything that was written.
      moved: called at each sign of progress, with the newest step known to be done, or None.
      nonfinite: 'stop' raises `NonFinite` at the first step with a metric that is not finite.
    """

    def __init__(
        self,
        log: MetricLog,
        clock: Clock,
        observer: Observer,
        moved: Callable[[int | None], None],
        nonfinite: Literal['stop', 'skip'],
    ):
        self.log, self.clock, self._observer, self._moved = log, clock, observer, moved
        self._stops = nonfinite == 'stop'
        self._in_flight = InFlightMetrics(clock.waiting(unpack))
        self._write_steps = clock.timed(LOG, log.write_steps)

    def __enter__(self) -> Self:
        self.clock.lap()  # setting up does not count
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.log.close()

    def log_steps(self, step: int, metrics: PackedMetrics) -> None:
        """Takes the metrics of the steps after `step`, still on the device; writes those of earlier steps."""
        self._moved(None)
        self._in_flight.add(step, metrics)
        self._write(self._in_flight.due())

    def flush(self) -> None:
        """Waits for the device and writes the metrics of all steps so far."""
        self._write(self._in_flight.all())

    def prepare_save(self, step: int) -> None:
        """Writes the metrics of all steps so far, before a checkpoint that makes these steps final."""
        self.flush()
        self._observer.on_save(step)

    def end(self, step: int) -> None:
        """Writes the metrics of all steps; the last line may be short."""
        self.flush()
        self._show(self.log.end(step))

    def log_evaluation(self, step: int, metrics: Mapping[str, float], state: State) -> None:
        """Writes the metrics of an evaluation, and shows where the time since the last one went."""
        self._moved(step)
        self.log.write_evaluation(step, metrics)
        self._observer.on_evaluation(step, metrics, self.clock.lap(), state)

    def _write(self, metrics: StepMetrics | None) -> None:
        faults.point('log')
        if metrics is None:
            return
        nonfinite = _first_nonfinite(metrics) if self._stops else None
        finite = metrics.until(nonfinite.step) if nonfinite else metrics
        if len(finite):
            self._show(self._write_steps(finite))
            self._observer.on_progress(finite.last)
            self._moved(finite.last)
        if nonfinite:
            raise nonfinite

    def _show(self, lines: Sequence[Line]) -> None:
        if lines:
            self._observer.on_steps(*_columns(lines))


def _first_nonfinite(metrics: StepMetrics) -> NonFinite | None:
    if all(np.isfinite(values).all() for values in metrics.values.values()):
        return None
    for step, values in metrics.lines():
        for name, value in values.items():
            if not math.isfinite(value):
                return NonFinite(step, name, value)
    return None


def _columns(lines: Sequence[Line]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Returns the steps, int [lines], and each metric, float64 [lines]; NaN where a line lacks it."""
    names = dict.fromkeys(name for _, values in lines for name in values)
    values = {name: np.array([values.get(name, math.nan) for _, values in lines]) for name in names}
    return np.array([step for step, _ in lines]), values
