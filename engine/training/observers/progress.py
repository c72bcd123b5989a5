"""How far a run is: a bar where there is a terminal, plain lines elsewhere."""

import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

import numpy as np

from engine.interfaces import State
from engine.runs import text_log
from engine.runs.text_log import logger
from engine.training.observers.observer import ObservedRun, Observer

LINE_SECONDS = 10.0  # between plain lines, evaluations apart
EVALUATION_SECONDS = 0.1  # between lines of evaluations, at least; val.jsonl has all of them
DRAW_SECONDS = 0.4  # between two drawings of the bar, at least
BAR_WIDTH = 20  # characters


class Progress(Observer):
    """Logs a line at each evaluation; in between it moves a bar, or logs a line every ten seconds."""

    def on_start(self, run: ObservedRun) -> None:
        """Starts the clock and, on a terminal, the bar."""
        self._run = run
        self._losses: np.ndarray | None = None
        self._started_at = self._said_at = time.monotonic()
        self._evaluated: tuple[int, Mapping[str, float]] | None = None
        self._evaluation_said_at = -math.inf
        self._bar = _Bar(run.step, run.steps) if _can_draw() else None

    def on_steps(self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]) -> None:
        """Notes the loss of the lines."""
        self._losses = metrics.get('loss')

    def on_progress(self, step: int) -> None:
        """Shows the step, even between two lines of the log."""
        if self._bar:
            self._bar.show(step, partial(self._text, step))
        elif time.monotonic() - self._said_at >= LINE_SECONDS:
            self._said_at = time.monotonic()
            logger.info('step %d/%d  %s', step, self._run.steps, self._text(step))

    def on_evaluation(
        self, step: int, metrics: Mapping[str, float], seconds: Mapping[str, float], state: State
    ) -> None:
        """Logs the metrics. Leaves some out if evaluations follow each other within EVALUATION_SECONDS."""
        self._evaluated = (step, metrics)
        if time.monotonic() - self._evaluation_said_at >= EVALUATION_SECONDS:
            self._say_evaluation()

    def _say_evaluation(self) -> None:
        """Logs the metrics of the last evaluation, unless that is done."""
        if self._evaluated:
            step, metrics = self._evaluated
            self._evaluated = None
            self._said_at = self._evaluation_said_at = time.monotonic()
            values = '  '.join(f'{name} {value:.4f}' for name, value in metrics.items())
            logger.info('step %d/%d  %s  val: %s', step, self._run.steps, self._text(step), values)

    def on_end(self, status: str) -> None:
        """Logs the last evaluation and leaves the terminal as it was."""
        self._say_evaluation()
        if self._bar:
            self._bar.stop()

    def _text(self, step: int) -> str:
        run = self._run
        loss = '' if self._losses is None else f'loss {self._losses[-1]:.4f}  '
        rate = (step - run.step) / max(time.monotonic() - self._started_at, 1e-9)
        left = timedelta(seconds=round((run.steps - step) / rate)) if rate else '?'
        return f'epoch {run.epoch(step):.1f}  {loss}{rate * run.batch_size:,.0f} examples/s  {left} left'


def _can_draw() -> bool:
    """Whether stdout is a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get('TERM') not in ('dumb', 'unknown', '')


class _Bar:
    """A bar on the terminal. It is drawn a few times a second."""

    def __init__(self, step: int, steps: int):
        self._steps, self._drawn_at = steps, -math.inf
        self.show(step, lambda: '')

    def show(self, step: int, text: Callable[[], str]) -> None:
        """Shows a step, and a text that is made only when it is drawn."""
        if time.monotonic() - self._drawn_at < DRAW_SECONDS and step < self._steps:
            return
        self._drawn_at = time.monotonic()
        done = round(BAR_WIDTH * step / self._steps)
        bar = '#' * done + '.' * (BAR_WIDTH - done)
        columns = max(shutil.get_terminal_size().columns - 1, 1)
        text_log.status_line.show(f'{bar} {step}/{self._steps} {text()}'[:columns])

    def stop(self) -> None:
        text_log.status_line.show('')
