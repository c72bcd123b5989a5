"""Metrics on their way from device to logs: fetched late and in blocks, so that the loop never waits."""

import time
from collections import deque
from collections.abc import Iterable

import jax
import numpy as np

from engine.interfaces import Metrics

LAG = 2  # steps that stay on the device, so that it never runs dry while the host fetches
MOST = 256  # steps that the host may run ahead
SECONDS = 0.5  # between fetches, so that logs are prompt


def merged(batches: Iterable[Metrics]) -> dict[str, float]:
    """Returns the values of metrics merged over batches, summed in double precision.

    A few batches are under way at a time, for each of them takes memory on the device.
    """
    totals: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    waiting: deque[Metrics] = deque()

    def add_oldest() -> None:
        for name, average in jax.device_get(waiting.popleft()).items():
            total, count = totals.get(name, (np.float64(0), np.float64(0)))
            totals[name] = (total + average.total, count + average.count)

    for batch in batches:
        waiting.append(batch)
        if len(waiting) > LAG:
            add_oldest()
    while waiting:
        add_oldest()
    return {name: float(_values(total[None], count[None])[0]) for name, (total, count) in totals.items()}


def _values(totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the metric of each step, [steps], from its sums [steps] or [steps, K]; NaN if none counted."""
    rest = tuple(range(1, totals.ndim))
    with np.errstate(invalid='ignore', divide='ignore'):
        quotients = np.where(counts != 0, totals / counts, 0)
        return quotients.sum(rest) / (counts != 0).sum(rest)


class Pending:
    """Metrics of steps that the device may still be at."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, Metrics]] = []
        self._fetched_at = time.monotonic()

    def add(self, step: int, metrics: Metrics) -> None:
        """Takes the metrics of the steps that follow `step`: on the device, each total and count [steps]."""
        self._waiting.append((step, metrics))

    def due(self) -> list[tuple[int, dict[str, float]]]:
        """Returns (step, metrics) of earlier steps whenever it is time to fetch some, else nothing."""
        now = time.monotonic()
        if len(self._waiting) < MOST and now - self._fetched_at < SECONDS:
            return []
        self._fetched_at = now
        return self._fetch(max(0, len(self._waiting) - LAG))

    def all(self) -> list[tuple[int, dict[str, float]]]:
        """Waits for the device and returns (step, metrics) of all steps."""
        return self._fetch(len(self._waiting))

    def _fetch(self, count: int) -> list[tuple[int, dict[str, float]]]:
        groups, self._waiting = self._waiting[:count], self._waiting[count:]
        lines = []
        for (step, _), metrics in zip(groups, jax.device_get([each for _, each in groups]), strict=True):
            values = {name: _values(each.total, each.count) for name, each in metrics.items()}
            for index in range(max((len(each) for each in values.values()), default=0)):
                lines.append((step + index + 1, {name: float(each[index]) for name, each in values.items()}))
        return lines
