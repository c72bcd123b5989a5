"""status.json of a run: its state, its step, and the heartbeat of the process at work on it."""

import threading
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine import files

FORMAT = 1
STATUS_FILE = 'status.json'
HEARTBEAT_SECONDS = 5.0  # between two heartbeats
HEARTBEAT_TIMEOUT = 60.0  # seconds without a heartbeat after which a running process counts as dead

_WRITE_LOCK = threading.Lock()  # a heartbeat that began before the end must not restore 'running'


class RunState(StrEnum):
    """What a run is doing, or how it ended."""

    RUNNING = 'running'
    FINISHED = 'finished'
    INTERRUPTED = 'interrupted'
    FAILED = 'failed'


def read(folder: Path) -> dict[str, Any]:
    """Returns the values in a run's status.json; none if it is missing or damaged."""
    return files.read_json(folder / STATUS_FILE)


def write(folder: Path, **values: Any) -> None:
    """Changes some values in a run's status.json, and always its heartbeat."""
    now = datetime.now(UTC).isoformat(timespec='seconds')
    with _WRITE_LOCK:
        status = {'format': FORMAT, 'started': now} | read(folder) | {'heartbeat': now} | values
        files.write_json(folder / STATUS_FILE, status)
