"""Starts several processes of the train program on this machine, to try what runs on many machines."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from engine.errors import EXIT_FAILED, EXIT_INTERRUPTED
from engine.processes import gpus
from engine.runs.signals import STOP_SIGNALS, is_handled

GRACE_SECONDS = 60.0  # for the other processes to end once one has failed

Process = subprocess.Popen[bytes]


def launch(arguments: Sequence[str], count: int, stdout: TextIO | None = None) -> int:
    """Runs the train program in several processes and returns their common exit code.

    The signals that ask a training to stop are forwarded. When one process fails, the others end by
    themselves or are killed.

    Args:
      arguments: the command line of the train program.
      count: the number of processes.
      stdout: of the processes; None for that of this one.

    Raises:
      UserError: the processes cannot share the GPUs evenly.
      KeyboardInterrupt: Ctrl-C has stopped the training, and everything is saved.
    """
    coordinator = f'localhost:{_free_port()}'
    command = [sys.executable, '-m', 'engine.commands.train', *arguments, f'--coordinator={coordinator}']
    processes: list[Process] = []
    received: list[int] = []
    for number in filter(is_handled, STOP_SIGNALS):
        signal.signal(number, lambda number, _: (received.append(number), _forward(processes, number)))
    for index, environment in enumerate(gpus.environments(os.environ, count)):
        processes.append(_start([*command, f'--process={index}'], environment, stdout))
    for number in received[:1]:  # it came while they were started
        _forward(processes, number)
    codes = _wait(processes)
    code = EXIT_INTERRUPTED if len(received) > 1 else _common_code(codes)
    if code == EXIT_INTERRUPTED and received[-1:] == [signal.SIGINT]:
        raise KeyboardInterrupt
    _report_killed(codes)
    return code


def _report_killed(codes: Sequence[int]) -> None:
    for index, code in enumerate(codes):
        if code < 0:
            name = signal.Signals(-code).name
            print(f'process {index} of {len(codes)} was ended by {name}', file=sys.stderr)


def _start(command: Sequence[str], environment: Mapping[str, str], stdout: TextIO | None) -> Process:
    # In a session of its own: Ctrl-C reaches the processes through this one only.
    return subprocess.Popen(command, env=environment, stdout=stdout, start_new_session=True)


def _common_code(codes: Sequence[int]) -> int:
    """Returns the largest exit code, of failed processes before others; 1 if one was ended by a signal."""
    failed = [code for code in codes if code not in (0, EXIT_INTERRUPTED)]
    if not failed:
        return max(codes)
    return max(failed) if min(failed) > 0 else EXIT_FAILED


def _forward(processes: Sequence[Process], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _wait(processes: Sequence[Process]) -> list[int]:
    """Returns all exit codes; kills the other processes some time after one has failed."""
    deadline = float('inf')
    while any(process.poll() is None for process in processes):
        if deadline == float('inf') and any(process.poll() for process in processes):
            deadline = time.monotonic() + GRACE_SECONDS
        if time.monotonic() > deadline:
            _forward(processes, signal.SIGKILL)
        time.sleep(0.1)
    return [process.wait() for process in processes]


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(('localhost', 0))
        return server.getsockname()[1]
