"""The times of a training, from its `performance.jsonl`."""

from collections.abc import Sequence
from typing import Any


def step_seconds(lines: Sequence[dict[str, Any]]) -> tuple[list[float], float]:
    """Returns the seconds of a step in each interval but the first, and the seconds of all checkpoints.

    Args:
      lines: of `performance.jsonl`.
    """
    times, before = [], 0
    for line in lines:
        seconds = line['seconds']
        others = sum(seconds.get(kind, 0.0) for kind in ('evaluation', 'checkpoint'))
        times.append((seconds['total'] - others) / (line['step'] - before))
        before = line['step']
    return times[1:], sum(line['seconds'].get('checkpoint', 0.0) for line in lines)
