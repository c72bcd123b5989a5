"""status.json of a run: its state, its step, and the heartbeat of the process at work on it."""

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import files

FORMAT = 1
STATUS_FILE = 'status.json'

_WRITE_LOCK = threading.Lock()  # a heartbeat that began before the end must not restore 'running'


def read(folder: Path) -> dict[str, Any]:
    """Returns the values in a run's status.json; none if it is missing or damaged."""
    return files.read_json(folder / STATUS_FILE)


def write(folder: Path, **values: Any) -> None:
    """Changes some values in a run's status.json, and always its heartbeat."""
    now = datetime.now(UTC).isoformat(timespec='seconds')
    with _WRITE_LOCK:
        status = {'format': FORMAT, 'started': now} | read(folder) | {'heartbeat': now} | values
        files.write_json(folder / STATUS_FILE, status)
