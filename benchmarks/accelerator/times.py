"""The times of a training, from its `performance.jsonl`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.runs import json_lines

NOT_STEPS = ('evaluation', 'pictures', 'checkpoint', 'profile')


def read(run: Path) -> list[dict[str, Any]]:
    """Returns the lines of a run, one for each evaluation."""
    return json_lines.read(run / 'logs' / 'performance.jsonl')


def step_seconds(lines: Sequence[dict[str, Any]]) -> tuple[list[float], float]:
    """Returns the seconds of a step in each interval but the first, and the seconds of all checkpoints.

    Args:
      lines: as `read` returns them.
    """
    times, before = [], 0
    for line in lines:
        seconds = line['seconds']
        others = sum(seconds.get(kind, 0.0) for kind in NOT_STEPS)
        times.append((seconds['total'] - others) / (line['step'] - before))
        before = line['step']
    return times[1:], sum(line['seconds'].get('checkpoint', 0.0) for line in lines)
