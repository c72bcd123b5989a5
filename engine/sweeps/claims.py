"""Claims: one worker at a time trains a run, on one machine or on many that share a disk.

A claim is a file `<run>.<number>`. To claim a run, a worker links a file that it has locked already. A link
to a name that exists fails on every file system, so two workers never get the same number. A claim ends when
its file says so or when its owner has died; the next worker then takes the next number. On the owner's
machine the operating system tells whether the lock is held; on others the heartbeat in the file does.

The training inherits the lock. If only its worker is killed, the run stays claimed until the training ends.
"""

import fcntl
import json
import os
import platform
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import files
from engine.runs.run_state import HEARTBEAT_SECONDS, STATUS_FILE, is_recent


@dataclass
class Claim:
    """A claimed run.

    Attributes:
      path: the file of the claim.
      descriptor: its open and locked file, which the training inherits.
    """

    path: Path
    descriptor: int
    _beat: float = 0.0

    def beat(self) -> None:
        """Tells other machines that the owner lives, once in a few seconds."""
        if time.monotonic() - self._beat > HEARTBEAT_SECONDS:
            self._write(is_over=False)
            self._beat = time.monotonic()

    def release(self) -> None:
        """Ends the claim: the run is free, or has ended."""
        self._write(is_over=True)
        os.close(self.descriptor)

    def _write(self, is_over: bool) -> None:
        content = json.dumps(_owner() | {'is_over': is_over}).encode()
        os.pwrite(self.descriptor, content.ljust(256), 0)  # in place: a new file would not be locked


def claim(folder: Path, name: str, run: Path) -> Claim | None:
    """Claims a run.

    Args:
      folder: the folder of claims.
      name: what is claimed.
      run: the folder of the run, whose heartbeat counts too.

    Returns:
      The claim, None if another worker has it.
    """
    latest = max(folder.glob(f'{name}.*'), key=_number, default=None)
    if latest and not _is_free(latest, run):
        return None
    temporary = folder / f'.{uuid.uuid4().hex}'
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    claimed = Claim(folder / f'{name}.{_number(latest) + 1 if latest else 1}', descriptor)
    try:
        _lock(descriptor)
        claimed.beat()
        os.link(temporary, claimed.path)
    except FileExistsError:
        os.close(descriptor)
        return None
    finally:
        temporary.unlink()
    return claimed


def owner(folder: Path, name: str) -> str:
    """Returns the machine and the process that have claimed a run; '' if its claim has ended."""
    latest = max(folder.glob(f'{name}.*'), key=_number, default=None)
    record = files.read_json(latest) if latest else {}
    return '' if not record or record.get('is_over') else f'{record.get("host")}:{record.get("pid")}'


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass  # this file system has no locks: heartbeats decide


def _number(path: Path) -> int:
    return int(path.suffix[1:])


def _is_free(path: Path, run: Path) -> bool:
    """Whether a claim has ended or its owner has died."""
    owner = files.read_json(path)
    if owner.get('is_over') is True:
        return True
    if not owner:  # read while it was written
        return False
    if owner.get('host') == platform.node():
        return not _is_locked(path)
    return not any(is_recent(each.get('heartbeat')) for each in (owner, files.read_json(run / STATUS_FILE)))


def _is_locked(path: Path) -> bool:
    with path.open('rb') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _owner() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec='seconds')
    return {'host': platform.node(), 'pid': os.getpid(), 'heartbeat': now}
