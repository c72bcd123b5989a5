"""JSON Lines files that survive a kill: one object a line, each with a `step`.

Files are compared, cut and hashed as bytes. A long log is read at each start, so a line as `JsonLines` writes
it is checked by a regular expression; only other lines are parsed.
"""

import hashlib
import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

from engine import files

# Possessive quantifiers never go back, so a damaged line takes no longer than a sound one.
_NAME = r'"(?!step")[^"\\\x00-\x1f\x7f-\xff]*+": '
_NUMBER = r'(?:null|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:e[-+]?[0-9]++)?+)'
_NUMBERS = rf'\{{(?:{_NAME}{_NUMBER}(?:, {_NAME}{_NUMBER})*+)?+\}}'
# What this matches, JSON accepts, with the same step.
_LINE = re.compile(rf'\{{"step": (0|[1-9][0-9]{{0,17}}+)(?:, {_NAME}(?:{_NUMBER}|{_NUMBERS}))*+\}}'.encode())


_encode = json.JSONEncoder(allow_nan=False).encode


class JsonLines:
    """A file of one JSON object per line, each with a `step`.

    Opening the file drops a torn last line and all lines after `step`: a resumed run writes them again.

    Args:
      path: the file.
      step: the step from which the run resumes.
    """

    def __init__(self, path: Path, step: int):
        kept = up_to(path, step)
        with files.atomic_file(path) as temporary:
            temporary.write_bytes(kept)
        self._sha256 = hashlib.sha256(kept)
        self._file = path.open('a', encoding='utf-8')

    def write(self, *lines: Mapping[str, Any]) -> None:
        """Appends lines."""
        text = ''.join([_encoded(values) + '\n' for values in lines])
        self._sha256.update(text.encode())
        self._file.write(text)

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
    return [values for values in map(_parsed, _complete_lines(path)) if isinstance(values.get('step'), int)]


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields the step and the bytes of each line of a file, without torn and damaged ones."""
    for line in _complete_lines(path):
        step = _step(line)
        if step is not None:
            yield step, line + b'\n'


def up_to(path: Path, step: int) -> bytes:
    """Returns the bytes of a file's lines up to and including `step`."""
    return _joined(lines(path), step)


def digests(path: Path, steps: Iterable[int]) -> dict[int, str]:
    """Returns for each of some steps the sha256 of a file's lines up to and including it."""
    entries = list(lines(path))
    if any(later < earlier for (earlier, _), (later, _) in pairwise(entries)):  # somebody edited the file
        return {step: hashlib.sha256(_joined(entries, step)).hexdigest() for step in steps}
    sha256, start, by_step = hashlib.sha256(), 0, {}
    for step in sorted(steps):
        end = bisect_right(entries, step, start, key=itemgetter(0))
        sha256.update(_joined(entries[start:end], step))
        start, by_step[step] = end, sha256.hexdigest()
    return by_step


def json_value(value: Any) -> Any:
    """Returns `value` as a line stores it: None for NaN and infinity, which JSON cannot express.

    A scalar of NumPy or JAX becomes a number of Python.

    >>> json_value(float('nan')) is None
    True
    """
    if getattr(value, 'ndim', None) == 0:
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _encoded(values: Mapping[str, Any]) -> str:
    try:
        return _encode(values)
    except (TypeError, ValueError):  # a scalar of NumPy; NaN or infinity
        return _encode({name: json_value(value) for name, value in values.items()})


def _complete_lines(path: Path) -> list[bytes]:
    """Returns the lines of a file that end with a newline. What follows the last one is torn, or empty."""
    return path.read_bytes().split(b'\n')[:-1] if path.exists() else []


def _joined(entries: Iterable[tuple[int, bytes]], step: int) -> bytes:
    return b''.join([line for number, line in entries if number <= step])


def _step(line: bytes) -> int | None:
    """Returns the step of a line, None if the line is damaged."""
    if match := _LINE.fullmatch(line):
        return int(match[1])
    step = _parsed(line).get('step')
    return step if isinstance(step, int) else None


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
