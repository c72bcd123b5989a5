"""Where the time of a training went, between evaluations."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from engine.runs import json_lines

Function = TypeVar('Function', bound=Callable[..., Any])


class Clock:
    """Seconds spent by kind of work. Functions are wrapped once, so that the loop does not see the clock."""

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
        """Returns the seconds by kind since the last lap, and all of them as `total`."""
        now = time.monotonic()
        seconds, self._seconds = self._seconds, {}
        total, self._since = now - self._since, now
        return {kind: round(value, 4) for kind, value in (seconds | {'total': total}).items()}


class TimeLog:
    """The file `time.jsonl`: where the time between evaluations went.

    Args:
      folder: `logs/` of the run.
      step: the step that the run resumes from; later lines are dropped.
      batch_size: examples per step.
    """

    def __init__(self, folder: Path, step: int, batch_size: int):
        self._file, self._batch_size, self._step = (
            json_lines.JsonLines(folder / 'time.jsonl', step),
            batch_size,
            step,
        )
        self.clock = Clock()

    def write(self, step: int) -> dict[str, float]:
        """Appends the line of the time up to an evaluation; returns the seconds by kind of work."""
        seconds = self.clock.lap()
        rate = (step - self._step) * self._batch_size / max(seconds['total'], 1e-9)
        self._file.write({'step': step, 'seconds': seconds, 'examples_per_second': round(rate, 1)})
        self._file.flush()
        self._step = step
        return seconds

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
