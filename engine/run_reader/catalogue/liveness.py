"""Whether a process is at work on a run. A killed one cannot say so itself."""

import os
import platform
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from engine.render.durations import duration
from engine.runs import lock
from engine.runs.run_state import RunState, describe_stop, is_recent, seconds_since


class ShownState(StrEnum):
    """The state of a run as the table shows it."""

    RUNNING = 'running'
    STALLED = 'stalled'  # its process exists and is silent
    DEAD = 'dead'  # status.json says running, and no process is at work
    PAUSED = 'paused'  # at the step of --until
    FINISHED = 'finished'
    STOPPED = 'stopped'  # finished before its last step, by Trainer.stop
    INTERRUPTED = 'interrupted'
    FAILED = 'failed'
    UNKNOWN = 'unknown'


ALIVE = (ShownState.RUNNING, ShownState.STALLED)


class Liveness(NamedTuple):
    """What a run is doing.

    Attributes:
      state: its state.
      reason: a sentence that says more; '' if there is nothing to say.
    """

    state: ShownState
    reason: str = ''


def of(folder: Path, status: Mapping[str, Any]) -> Liveness:
    """Returns what a run is doing.

    On this machine, process and lock decide. For another machine, the heartbeat does.

    Args:
      folder: the run folder.
      status: the undamaged values of status.json.
    """
    state = status.get('state')
    if state == RunState.RUNNING:
        return _of_running(folder, status)
    if state == RunState.FAILED:
        return Liveness(ShownState.FAILED, str(status.get('error') or ''))
    if stop := describe_stop(status):
        return Liveness(ShownState.STOPPED, stop)
    return Liveness(ShownState(state) if state in list(RunState) else ShownState.UNKNOWN)


def _of_running(folder: Path, status: Mapping[str, Any]) -> Liveness:
    silence = seconds_since(status.get('heartbeat'))
    is_silent = not is_recent(status.get('heartbeat'))
    since = 'without a heartbeat' if silence is None else f'silent for {duration(abs(silence))}'
    host = status.get('host', '')
    if host != platform.node():
        where = f'on {host}' if host else 'on an unknown machine'
        return (
            Liveness(ShownState.DEAD, f'{since}, {where}')
            if is_silent
            else Liveness(ShownState.RUNNING, where)
        )
    pid = status.get('pid', 0)
    if not is_silent and _exists(pid):
        return Liveness(ShownState.RUNNING, f'process {pid}')
    if lock.is_held(folder):  # asleep, or a process in another container
        return Liveness(ShownState.STALLED if is_silent else ShownState.RUNNING, f'process {pid}, {since}')
    return Liveness(ShownState.DEAD, f'process {pid} was killed' if not _exists(pid) else since)


def _exists(pid: int) -> bool:
    """Whether a process exists on this machine and has not ended."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return pid > 0 and not _has_ended(pid)


def _has_ended(pid: int) -> bool:
    """Whether a process has ended, and its parent has not asked for its exit code yet."""
    try:
        status = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8', errors='replace')
    except OSError:  # this system has no /proc
        return False
    return status.rpartition(')')[2].split()[:1] in (['Z'], ['X'])
