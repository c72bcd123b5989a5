"""Files of a run, read as far as possible. Each problem becomes a note and none an exception."""

import json
import math
import os
import stat
from pathlib import Path
from typing import Any, TypeGuard

MARKS = ('config.gin', 'status.json', 'logs/train.jsonl', 'logs/val.jsonl', 'logs/performance.jsonl')
LONGEST = 2**53  # no step is beyond it: floats count no further


def text(path: Path, notes: list[str]) -> str:
    """Returns the text of a file, '' with a note if it is missing, empty, unreadable or not a file."""
    content = _content(path, notes)
    if content == b'':
        notes.append(f'{path.name} is empty')
    return (content or b'').decode('utf-8', 'replace').replace('\r\n', '\n')


def tail(path: Path, size: int) -> bytes:
    """Returns the last bytes of a file, b'' if it cannot be read."""
    return _content(path, [], size) or b''


def _content(path: Path, notes: list[str], size: int = 0) -> bytes | None:
    """Returns the content of a file, or its last `size` bytes; None with a note if that is impossible."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe would wait for a writer
        with os.fdopen(descriptor, 'rb') as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise IsADirectoryError
            file.seek(max(0, status.st_size - size) if size else 0)
            return file.read()
    except IsADirectoryError:
        notes.append(f'{path.name} is not a file')
    except (FileNotFoundError, NotADirectoryError):
        notes.append(f'{path.name} is missing')
    except (OSError, ValueError) as error:
        notes.append(f'{path.name} cannot be read: {getattr(error, "strerror", error)}')
    return None


def lines(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """Returns the complete lines with a step; adds a note on the others."""
    *whole, torn = text(path, notes).split('\n')
    sound = [line for line in _all_parsed(whole) if is_step(line.get('step'))]
    if torn:
        notes.append(f'{path.name}: its last line is torn and left out')
    if len(sound) < len(whole):
        notes.append(f'{path.name}: {counted(len(whole) - len(sound), "damaged line")} left out')
    repeated = len(sound) - len({line['step'] for line in sound})
    if repeated:
        notes.append(f'{path.name}: {counted(repeated, "line")} repeated; the later one counts')
    return sound


def _all_parsed(whole: list[str]) -> list[dict[str, Any]]:
    """Returns the objects in some lines; at once if all lines are sound, which is twice as fast."""
    if all(line.startswith('{') and line.endswith('}') for line in whole):
        try:
            values = json.loads(f'[{",".join(whole)}]')
        except (ValueError, RecursionError):
            values = []
        if len(values) == len(whole):
            return values
    return [*map(parsed, whole)]


def is_step(value: Any) -> TypeGuard[int]:
    """Whether a value can be a step."""
    return type(value) is int and 0 <= value <= LONGEST


def parsed(line: str | bytes) -> dict[str, Any]:
    """Returns the object in a JSON text; an empty one if there is none."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def finite(value: Any) -> float | None:
    """Returns a value of a log as a number; None if it is not a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a huge integer
        return None


def printable(text: str) -> str:
    """Returns a text, quoted and escaped if a terminal might obey it."""
    return text if text.isprintable() else repr(text)


def counted(number: int, noun: str) -> str:
    """Returns a number and its noun, such as '2 lines'."""
    return f'{number:,} {noun}' if number == 1 else f'{number:,} {noun}s'
