"""Processes that measure: each has a time limit, and a process group of its own that ends with it."""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.accelerator import figures
from engine.workspace import REPOSITORY

LAST_LINES = 5  # of the output, which a failure shows


def run(
    command: Sequence[str],
    limit: float,
    environment: Mapping[str, str],
    on_figure: Callable[[dict[str, Any]], None],
    on_line: Callable[[str], None] = print,
) -> str:
    """Runs a process until it ends or its time is up.

    Args:
      command: the program and its arguments.
      limit: seconds; after them, the process and all that it has started are killed.
      environment: variables that are added to those of this process.
      on_figure: called with each figure as soon as it is printed.
      on_line: called with each other line.

    Returns:
      '' if the process has succeeded, else why not, with its last lines.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    try:
        started = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, 'PYTHONUNBUFFERED': '1', **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            start_new_session=True,
        )
    except OSError as error:
        return f'{command[0]} does not start: {error.strerror}'
    with started as process:
        timer = threading.Timer(limit, _kill, (process.pid,))
        timer.start()
        try:
            assert process.stdout
            for line in map(str.rstrip, process.stdout):
                if found := figures.read(line):
                    on_figure(found)
                elif line:
                    last.append(line)
                    on_line(line)
            code = process.wait()
            timed_out = not timer.is_alive()
        finally:
            timer.cancel()
            _kill(process.pid)  # it too if this process is interrupted, and what it has left behind
    if code == 0:
        return ''
    reason = f'killed after {limit:.0f} seconds' if timed_out else f'ended with {code}'
    return '\n'.join([reason, *last])


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
