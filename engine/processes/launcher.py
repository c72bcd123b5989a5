"""Starts several processes of the train program on this machine, to try what runs on many machines."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from engine.errors import EXIT_FAILED, EXIT_INTERRUPTED

GRACE_SECONDS = 60.0  # for the other processes to end once one has failed

Process = subprocess.Popen[bytes]


def launch(arguments: Sequence[str], count: int) -> int:
    """Runs the train program in several processes and returns their common exit code.

    Ctrl-C and SIGTERM are forwarded. When one process fails, the others end by themselves or are killed.

    Args:
      arguments: the command line of the train program.
      count: the number of processes.
    """
    coordinator = f'localhost:{_free_port()}'
    command = [sys.executable, '-m', 'engine.commands.train', *arguments, f'--coordinator={coordinator}']
    processes = [_start([*command, f'--process={index}'], index) for index in range(count)]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: _forward(processes, number))
    codes = _wait(processes)
    for index, code in enumerate(codes):
        if code < 0:
            print(f'process {index} of {count} was ended by {signal.Signals(-code).name}', file=sys.stderr)
    return _common_code(codes)


def _start(command: Sequence[str], index: int) -> Process:
    return subprocess.Popen(
        command,
        env=os.environ | {'CUDA_VISIBLE_DEVICES': str(index)},  # on a machine with GPUs, one per process
        start_new_session=True,  # Ctrl-C reaches the processes through this one only
    )


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
