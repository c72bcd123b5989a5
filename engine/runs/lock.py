"""Locks of processes: one at a time trains in a run folder, or writes what several processes may write."""

import fcntl
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from engine.errors import UserError
from engine.runs.run_state import RunState, is_recent


@contextmanager
def locked(folder: Path, status: Mapping[str, Any]) -> Iterator[None]:
    """Holds the lock of a run folder while inside. The operating system frees the lock of a killed process.

    The lock works on one machine. For a process on another machine, the heartbeat in `status` decides.

    Raises:
      UserError: another process is training in the folder.
    """
    _check_other_machine(folder, status)
    with (folder / 'lock').open('a+') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(_message(folder, file.read().strip())) from None
        except OSError:
            pass  # this file system has no locks
        file.truncate(0)
        file.write(f'process {os.getpid()} on {platform.node()}\n')
        file.flush()
        yield


def is_held(folder: Path) -> bool:
    """Whether a process on this machine holds the lock of a run folder. Nothing is created."""
    try:
        with (folder / 'lock').open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no such file, or this file system has no locks
        return False
    return False


def _check_other_machine(folder: Path, status: Mapping[str, Any]) -> None:
    """Raises `UserError` if a process on another machine is running and its heartbeat is recent."""
    host = status.get('host', platform.node())
    if status.get('state') != RunState.RUNNING or host == platform.node():
        return
    if is_recent(status.get('heartbeat')):  # a damaged one blocks no run for ever
        raise UserError(_message(folder, f'process {status.get("pid")} on {host}'))


def _message(folder: Path, owner: str) -> str:
    return (
        f'{folder} is being trained by {owner}. Wait for it or stop it: two processes would damage the run.'
    )


@contextmanager
def held(lock: Path) -> Iterator[bool]:
    """Waits until no other process of this machine holds a lock, and holds it inside.

    The operating system frees the lock of a killed process.

    Args:
      lock: a file that only locks. It is made if it is missing, and stays.

    Yields:
      Whether this file system has locks. Without them, nobody waits.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open('a') as file:
        yield _is_locked(file)


def _is_locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return False
    return True
