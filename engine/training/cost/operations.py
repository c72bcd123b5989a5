"""The operations that took most time in a trace, read from the file that TensorBoard reads.

XLA marks an event of an operation with `hlo_op`: on GPUs and TPUs on the lines of the device, on CPUs on
those of the threads that work for it. If an operation runs inside another one, as in a loop, its time counts
for the inner one alone.
"""

import csv
import io
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from engine import files

COUNT = 10


@dataclass(frozen=True)
class OperationTime:
    """The time of an operation in a trace.

    Attributes:
      name: of the operation in the compiled program.
      program: its name.
      calls: how often it ran, over all devices.
      seconds: in all of these calls, without the operations inside it.
      share: of the time of all operations.
    """

    name: str
    program: str
    calls: int
    seconds: float
    share: float


def write(folder: Path) -> None:
    """Writes `operations.csv` and `operations.txt` of the trace in a folder."""
    (trace,) = folder.glob('plugins/profile/*/*.xplane.pb')
    dearest = dearest_operations(trace)
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(['operation', 'program', 'calls', 'seconds', 'share'])
    writer.writerows([each.name, each.program, each.calls, each.seconds, each.share] for each in dearest)
    for name, text in (('operations.csv', table.getvalue()), ('operations.txt', _text(dearest))):
        with files.atomic_file(folder / name) as temporary:
            temporary.write_text(text, encoding='utf-8')


def dearest_operations(trace: Path, count: int = COUNT) -> list[OperationTime]:
    """Returns the operations that took most time, the longest first.

    Args:
      trace: a file `.xplane.pb`.
      count: how many.
    """
    sums: dict[tuple[str, str], tuple[int, float]] = {}
    for line in _lines(trace):
        for key, seconds in _own_times(line):
            calls, total = sums.get(key, (0, 0.0))
            sums[key] = calls + 1, total + seconds
    whole = sum(seconds for _, seconds in sums.values()) or 1.0
    dearest = sorted(sums.items(), key=lambda item: -item[1][1])[:count]
    return [
        OperationTime(name, program, calls, round(seconds, 9), round(seconds / whole, 4))
        for (name, program), (calls, seconds) in dearest
    ]


@dataclass(frozen=True)
class _Event:
    """An operation that ran: nanoseconds from `start` to `end`."""

    key: tuple[str, str]
    start: float
    end: float


def _lines(trace: Path) -> Iterator[list[_Event]]:
    """Yields the operations of each thread, or of each line of a device."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DeprecationWarning)  # of the classes of jax.profiler themselves
        for plane in jax.profiler.ProfileData.from_file(str(trace)).planes:
            for line in plane.lines:
                yield [event for event in map(_event, line.events) if event]


def _event(event: Any) -> _Event | None:
    statistics = dict(event.stats)
    if not (name := statistics.get('hlo_op')) or event.name.startswith('end: '):
        return None
    start = event.start_ns
    return _Event((str(name), str(statistics.get('hlo_module', ''))), start, start + event.duration_ns)


def _own_times(events: Iterable[_Event]) -> Iterator[tuple[tuple[str, str], float]]:
    """Yields the seconds of each event without those of the events inside it."""
    around: list[
        tuple[_Event, list[float]]
    ] = []  # the events that have not ended, and what is inside of each
    for event in sorted(events, key=lambda each: (each.start, -each.end)):
        while around and around[-1][0].end <= event.start:
            yield _closed(*around.pop())
        if around:
            around[-1][1].append(event.end - event.start)
        around.append((event, []))
    while around:
        yield _closed(*around.pop())


def _closed(event: _Event, inside: list[float]) -> tuple[tuple[str, str], float]:
    return event.key, max(0.0, event.end - event.start - sum(inside)) / 1e9


def _text(dearest: list[OperationTime]) -> str:
    if not dearest:
        return 'The trace holds no operation of XLA.\n'
    width = max(len(each.name) for each in dearest)
    rows = (
        f'{each.name:<{width}}  {1e3 * each.seconds:10.3f} ms {100 * each.share:6.1f} %  '
        f'{each.calls:7,}  {each.program}'
        for each in dearest
    )
    head = f'{"operation":<{width}}  {"time":>13} {"share":>8}  {"calls":>7}  program'
    return '\n'.join([head, *rows]) + '\n'
