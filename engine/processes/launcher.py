"""Several processes of one program on this machine, to try what runs on many."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from engine.errors import EXIT_FAILED, EXIT_INTERRUPTED

GRACE = 60.0  # seconds that the others have to end when one has


def launch(arguments: Sequence[str], count: int) -> int:
    """Runs this program in so many processes, with flags that tell each its place; returns the exit code.

    Ctrl-C and SIGTERM are passed on. When one process fails, the others end by themselves, or are ended.
    """
    coordinator = f'localhost:{_free_port()}'
    command = [sys.executable, '-m', 'engine.commands.train', *arguments, f'--coordinator={coordinator}']
    processes = [
        subprocess.Popen(
            [*command, f'--process={index}'],
            env=os.environ | {'CUDA_VISIBLE_DEVICES': str(index)},  # on a machine with GPUs, one for each
            start_new_session=True,  # a Ctrl-C reaches them through this process alone
        )
        for index in range(count)
    ]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: _pass_on(processes, number))
    codes = _wait(processes)
    for index, code in enumerate(codes):
        if code < 0:
            print(f'process {index} of {count} was ended by {signal.Signals(-code).name}', file=sys.stderr)
    return _joint(codes)


def _joint(codes: Sequence[int]) -> int:
    """Returns one exit code for all: the first process's, or that one has failed."""
    failed = [code for code in codes if code not in (0, EXIT_INTERRUPTED)]
    return max(codes) if not failed else max(failed) if min(failed) > 0 else EXIT_FAILED


def _pass_on(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def _wait(processes: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Waits for all; once one has failed, no longer than the grace."""
    deadline = float('inf')
    while any(process.poll() is None for process in processes):
        if deadline == float('inf') and any(process.poll() for process in processes):
            deadline = time.monotonic() + GRACE
        if time.monotonic() > deadline:
            _pass_on(processes, signal.SIGKILL)
        time.sleep(0.1)
    return [process.wait() for process in processes]


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(('localhost', 0))
        return server.getsockname()[1]
