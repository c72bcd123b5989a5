"""How far a run is: plain lines from time to time, and a bar where there is a terminal."""

import sys
import time
from collections.abc import Callable
from datetime import timedelta

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress

from engine.runs.text_log import logger

SECONDS = 10.0  # between plain lines, evaluations apart


class Progress:
    """Says in plain lines how far a run is.

    Args:
      step: what the run goes on from.
      steps: what it goes to.
      epoch: epochs that a number of steps makes.
      examples: examples per step.
    """

    def __init__(self, step: int, steps: int, epoch: Callable[[int], float], examples: int):
        self._first, self._steps, self._epoch, self._examples = step, steps, epoch, examples
        self._began = self._said = time.monotonic()
        self._loss = ''

    def begin(self) -> None:
        """Counts time from here: what came before was setting up."""
        self._began = self._said = time.monotonic()

    def trained(self, step: int, metrics: dict[str, float]) -> None:
        """Shows the newest training metrics known."""
        self._loss = f'loss {metrics["loss"]:.4f}  ' if 'loss' in metrics else ''
        self._show(step)

    def _show(self, step: int) -> None:
        now = time.monotonic()
        if now - self._said >= SECONDS:
            self._said = now
            logger.info('step %d/%d  %s', step, self._steps, self._text(step))

    def evaluated(self, step: int, metrics: dict[str, float]) -> None:
        """Shows the metrics of an evaluation."""
        self._said = time.monotonic()
        values = '  '.join(f'{name} {value:.4f}' for name, value in metrics.items())
        logger.info('step %d/%d  %s  val: %s', step, self._steps, self._text(step), values)

    def _text(self, step: int) -> str:
        rate = (step - self._first) / max(time.monotonic() - self._began, 1e-9)
        left = timedelta(seconds=round((self._steps - step) / rate)) if rate else '?'
        return (
            f'epoch {self._epoch(step):.1f}  {self._loss}{rate * self._examples:,.0f} examples/s  {left} left'
        )

    def close(self) -> None:
        """Nothing to leave."""


class Bar(Progress):
    """Shows a bar besides, for a terminal."""

    def __init__(self, step: int, steps: int, epoch: Callable[[int], float], examples: int):
        super().__init__(step, steps, epoch, examples)
        self._bar = RichProgress(BarColumn(), MofNCompleteColumn(), TextColumn('{task.description}'))
        self._task = self._bar.add_task('', total=steps, completed=step)
        self._bar.start()

    def _show(self, step: int) -> None:
        self._bar.update(self._task, completed=step, description=self._text(step))

    def close(self) -> None:
        """Leaves the terminal as it was."""
        self._bar.stop()


def progress(step: int, steps: int, epoch: Callable[[int], float], examples: int) -> Progress:
    """Returns a bar on a terminal, plain lines elsewhere."""
    return (Bar if sys.stdout.isatty() else Progress)(step, steps, epoch, examples)
