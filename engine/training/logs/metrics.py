"""Metrics on their way from device to log: fetched late and in blocks, so that the loop never waits."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import isfinite, nan

import jax
import numpy as np

from engine.interfaces import Metrics
from engine.training.logs.packed import PackedMetrics, unpack

Line = tuple[int, dict[str, float]]  # of the log: a step, and metrics by name
Sums = Mapping[str, tuple[np.ndarray, np.ndarray]]  # total and count of each metric

LAG_CALLS = 2  # calls whose metrics stay on the device, so that it never idles while the host fetches
MAX_CALLS = 256  # calls that the host may be ahead of the device
FETCH_SECONDS = 0.5  # between fetches, so that the log is prompt


def merged(
    batches: Iterable[Metrics | PackedMetrics], meanwhile: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Returns the values of metrics merged over batches, summed in double precision.

    At most a few batches are in progress at a time, for each of them takes memory on the device.

    Args:
      batches: the metrics of each batch, on the device.
      meanwhile: called while the device works on the first batches.
    """
    sums: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    batches = iter(batches)
    waiting = deque(islice(batches, LAG_CALLS))
    meanwhile()

    def add_oldest() -> None:
        for name, (total, count) in _fetched(waiting.popleft()).items():
            old_total, old_count = sums.get(name, (np.float64(0), np.float64(0)))
            sums[name] = (old_total + total, old_count + count)

    for batch in batches:
        waiting.append(batch)
        if len(waiting) > LAG_CALLS:
            add_oldest()
    while waiting:
        add_oldest()
    return {name: float(_values(total[None], count[None])[0]) for name, (total, count) in sums.items()}


def _fetched(metrics: Metrics | PackedMetrics) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns total and count of each metric of a batch, on the host."""
    if isinstance(metrics, PackedMetrics):
        return {name: (total[0], count[0]) for name, (total, count) in unpack([metrics]).items()}
    return {name: (each.total, each.count) for name, each in jax.device_get(metrics).items()}


def _values(totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the metric of each step, [steps], from sums [steps] or [steps, K]; NaN if nothing counted."""
    axes = tuple(range(1, totals.ndim))
    with np.errstate(invalid='ignore', divide='ignore'):
        quotients = np.where(counts != 0, totals / counts, 0)
        return quotients.sum(axes) / (counts != 0).sum(axes)


@dataclass(frozen=True)
class StepMetrics:
    """The metrics of consecutive training steps.

    Attributes:
      first: the first of the steps.
      values: by name of the metric, float [steps].
    """

    first: int
    values: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return max(map(len, self.values.values()), default=0)

    @property
    def last(self) -> int:
        """The last of the steps."""
        return self.first + len(self) - 1

    def lines(self) -> Iterator[Line]:
        """Yields each step and its metrics."""
        columns = [np.asarray(array, np.float64).tolist() for array in self.values.values()]
        for index, row in enumerate(zip(*columns, strict=True)):
            yield self.first + index, dict(zip(self.values, row, strict=True))

    def until(self, step: int) -> 'StepMetrics':
        """Returns the metrics of the steps before `step`."""
        count = step - self.first
        return StepMetrics(self.first, {name: array[:count] for name, array in self.values.items()})


class BlockMeans:
    """Means of metrics over blocks of steps. A block ends at each multiple of `every`.

    The last block ends with the training and may be shorter. Sums are in double precision and in the order of
    the steps. Values that are not finite are left out; the mean of none is NaN.

    Args:
      every: number of steps in a block.
      last: the last step of the training.
      record: of the open block from which a training resumes, '' if it is empty.

    Attributes:
      steps: number of steps in the open block. The last block of a training stays open.
    """

    def __init__(self, every: int, last: int, record: str = ''):
        self._every, self._last = every, last
        self.steps: int = 0
        self._sums: dict[str, tuple[float, int]] = {}
        if record:
            self.steps, self._sums = json.loads(record)

    def add(self, metrics: StepMetrics) -> Iterator[Line]:
        """Adds the metrics of the next steps; yields a line for each block when it has ended."""
        if self._every == 1 and not self.steps:
            yield from metrics.lines()
            return
        for step, values in metrics.lines():
            self._add(values)
            if step % self._every == 0:
                means = self._means()
                self.steps, self._sums = 0, {}
                yield step, means
            else:
                yield from self.short(step)

    def short(self, step: int) -> list[Line]:
        """Returns the line of the open block if `step` is the last of the training, else nothing."""
        return [(step, self._means())] if self.steps and step == self._last else []

    def end(self, step: int) -> list[Line]:
        """Ends the training at a step before the last one. Returns the line of the open block, as `short`."""
        is_known = step == self._last
        self._last = step
        return [] if is_known else self.short(step)

    def record(self) -> str:
        """Returns the open block's sums, to resume it exactly; '' if it is empty."""
        return json.dumps([self.steps, self._sums]) if self.steps else ''

    def _add(self, values: Mapping[str, float]) -> None:
        self.steps += 1
        for name, value in values.items():
            total, count = self._sums.get(name, (-0.0, 0))  # the sum of -0.0 alone is -0.0
            self._sums[name] = (total + value, count + 1) if isfinite(value) else (total, count)

    def _means(self) -> dict[str, float]:
        return {name: total / count if count else nan for name, (total, count) in self._sums.items()}


class InFlightMetrics:
    """Metrics of calls that the device may still be working on.

    Args:
      fetch: unpacks the metrics of calls on the host, when the device has finished them.
    """

    def __init__(self, fetch: Callable[[Sequence[PackedMetrics]], Sums] = unpack) -> None:
        self._unpack = fetch
        self._waiting: list[tuple[int, PackedMetrics]] = []
        self._fetched_at = time.monotonic()

    def add(self, step: int, metrics: PackedMetrics) -> None:
        """Takes the metrics of the steps after `step`, on the device."""
        self._waiting.append((step, metrics))

    def due(self) -> StepMetrics | None:
        """Returns the metrics of earlier calls when it is time to fetch some, else None."""
        now = time.monotonic()
        if len(self._waiting) < MAX_CALLS and now - self._fetched_at < FETCH_SECONDS:
            return None
        self._fetched_at = now
        return self._fetch(max(0, len(self._waiting) - LAG_CALLS))

    def all(self) -> StepMetrics | None:
        """Waits for the device and returns the metrics of all calls, None if there are none."""
        return self._fetch(len(self._waiting))

    def _fetch(self, calls: int) -> StepMetrics | None:
        fetched, self._waiting = self._waiting[:calls], self._waiting[calls:]
        if not fetched:
            return None
        sums = self._unpack([metrics for _, metrics in fetched])
        values = {name: _values(total, count) for name, (total, count) in sums.items()}
        return StepMetrics(fetched[0][0] + 1, values)
