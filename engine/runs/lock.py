"""One training at a time on a run folder."""

import fcntl
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import UserError

STALE = 60.0  # seconds without a heart-beat after which a run on another machine is taken for dead


@contextmanager
def locked(folder: Path, status: Mapping[str, Any]) -> Iterator[None]:
    """Holds the lock of a run folder; the system frees that of a process which was killed.

    Where the file system has no locks, and for a process on another machine, the heart-beat decides.

    Raises:
      UserError: if another process is training there.
    """
    _refuse_living(folder, status)
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


def _refuse_living(folder: Path, status: Mapping[str, Any]) -> None:
    """Raises `UserError` if another machine says that it is running and its heart-beat is fresh."""
    host = status.get('host', platform.node())
    if status.get('state') == 'running' and host != platform.node() and _age(status['heartbeat']) < STALE:
        raise UserError(_message(folder, f'process {status["pid"]} on {host}'))


def _age(heartbeat: str) -> float:
    """Returns the seconds since a heart-beat; clocks of two machines differ, so either way counts."""
    return abs((datetime.now(UTC) - datetime.fromisoformat(heartbeat)).total_seconds())


def _message(folder: Path, owner: str) -> str:
    return (
        f'{folder} is being trained by {owner}. Wait for it or stop it; a second training would spoil both.'
    )
