"""JSON Lines files that survive a kill: one object a line, each with a `step`."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import files


class JsonLines:
    """A file of one JSON object per line, each with a `step`.

    Opening the file drops a torn last line and all lines after `step`: a continued run writes them again.

    Args:
      path: the file.
      step: the step from which the run continues.
    """

    def __init__(self, path: Path, step: int):
        kept = up_to(path, step)
        files.write_text(path, kept)
        self._sha256 = hashlib.sha256(kept.encode())
        self._file = path.open('a', encoding='utf-8')

    def write(self, values: Mapping[str, Any]) -> None:
        """Appends one line."""
        line = _line(values)
        self._sha256.update(line.encode())
        self._file.write(line)

    def digest(self) -> str:
        """Returns the sha256 of the whole file, in hexadecimal digits."""
        return self._sha256.hexdigest()

    def flush(self) -> None:
        """Passes all written lines to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Flushes and closes the file."""
        self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a file without torn and damaged ones; none if the file does not exist."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b'\n')[:-1]  # what follows the last newline is torn, or empty
    return [values for values in map(_parsed, lines) if isinstance(values.get('step'), int)]


def up_to(path: Path, step: int) -> str:
    """Returns the text of a file's lines up to and including `step`."""
    return ''.join(_line(values) for values in read(path) if values['step'] <= step)


def json_value(value: Any) -> Any:
    """Returns `value` as a line stores it: None for NaN and infinity, which JSON cannot express.

    >>> json_value(float('nan')) is None
    True
    """
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps({name: json_value(value) for name, value in values.items()}) + '\n'


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
