"""Logs as plain files: JSON lines that can be cut back to a step, TensorBoard events, the terminal's text."""

import hashlib
import json
import logging
import math
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

logger = logging.getLogger('engine')


class JsonLines:
    """A file of one JSON object per line, each with a `step`.

    Lines from after `step` and a torn last line are dropped on opening: a run that goes on writes them anew.

    Args:
      path: of the file.
      step: what it goes on from.
    """

    def __init__(self, path: Path, step: int):
        kept = up_to(path, step)
        _replace(path, kept)
        self._sha256 = hashlib.sha256(kept.encode())
        self._file = path.open('a', encoding='utf-8')

    def write(self, values: Mapping[str, Any]) -> None:
        """Appends one line."""
        line = _line(values)
        self._sha256.update(line.encode())
        self._file.write(line)

    def digest(self) -> str:
        """Returns the sha256 of all that was written."""
        return self._sha256.hexdigest()

    def flush(self) -> None:
        """Hands what was written to the system."""
        self._file.flush()

    def close(self) -> None:
        """Flushes and closes the file."""
        self._file.close()


def up_to(path: Path, step: int) -> str:
    """Returns the lines of a JSON-lines file up to a step, as they are written."""
    return ''.join(_line(each) for each in read(path) if each['step'] <= step)


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps({name: finite(value) for name, value in values.items()}) + '\n'


def finite(value: Any) -> Any:
    """Returns the value as a log has it: None for what is not finite, for JSON has no name for that."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _replace(path: Path, text: str) -> None:
    """Replaces a file whole: whoever reads it sees the old text or the new, and two writers do not mix."""
    aside = path.with_name(f'{path.name}.{os.getpid()}-{threading.get_ident()}.tmp')
    try:
        aside.write_text(text, encoding='utf-8')
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def write_json(path: Path, values: Any) -> None:
    """Replaces a JSON file whole."""
    _replace(path, json.dumps(values, indent=2) + '\n')


def read_json(path: Path) -> dict[str, Any]:
    """Returns the values of a JSON file, nothing if it does not exist or is damaged."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def read(path: Path) -> list[dict[str, Any]]:
    """Returns the lines of a JSON-lines file, but torn or damaged ones; none if it does not exist."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b'\n')[:-1]  # what follows the last newline is torn, or nothing
    return [values for values in map(_values, lines) if isinstance(values.get('step'), int)]


def _values(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


class Events:
    """TensorBoard events of one run.

    A run that goes on begins a new file; TensorBoard shows the later one where steps overlap. Whoever has
    events writes them: `SummaryWriter` hands them to a thread, and waits for ever when the disk is full.
    """

    def __init__(self, folder: Path, step: int):
        # Slow to import, and only training writes events.
        from tensorboardX import event_file_writer
        from tensorboardX.proto import event_pb2

        folder.mkdir(parents=True, exist_ok=True)
        self._event: Any = getattr(event_pb2, 'Event')  # noqa: B009 (it is made when imported)
        self._writer = event_file_writer.EventsWriter(str(folder / 'events'))
        if step:
            self._add(step=step + 1, session_log={'status': 1})  # a start, before which all stands

    def write(self, group: str, step: int, metrics: Mapping[str, float]) -> None:
        """Adds scalars named `group/metric`."""
        values = [{'tag': f'{group}/{name}', 'simple_value': value} for name, value in metrics.items()]
        self._add(step=step, summary={'value': values})

    def _add(self, **content: Any) -> None:
        self._writer.write_event(self._event(wall_time=time.time(), **content))

    def flush(self) -> None:
        """Shows TensorBoard what was written."""
        self._writer.flush()

    def close(self) -> None:
        """Writes what is left."""
        self._writer.close()


def silence_libraries() -> None:
    """Keeps the noise of libraries off the terminal; what goes wrong in them is raised as well."""
    for name in ('absl', 'asyncio', 'jax', 'orbax', 'tensorboardX'):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    sys.excepthook, threading.excepthook = _in_main_thread(sys.excepthook), lambda _: None
    sys.unraisablehook = _but_echoes(sys.unraisablehook)
    for module in ('orbax', 'tensorflow_datasets', 'flax'):
        warnings.filterwarnings('ignore', module=f'{module}.*')


def _in_main_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the hook for the main thread alone: a library's thread hands on its error besides."""

    def shown(*error: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            hook(*error)

    return shown


def _but_echoes(hook: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Returns the hook without the echoes of a full disk: files left open, callbacks of Orbax's writes."""

    def shown(ignored: Any) -> None:
        if not isinstance(ignored.exc_value, OSError) and str(ignored.exc_value) != 'Event loop is closed':
            hook(ignored)

    return shown


class _Terminal(logging.Handler):
    """Prints to what stdout is at the time, for a progress bar takes its place while it is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), flush=True)


def to_terminal() -> None:
    """Sends this project's log to the terminal, as plain lines."""
    for earlier in logger.handlers[:]:
        logger.removeHandler(earlier)
        earlier.close()
    logger.addHandler(_Terminal())
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _File(logging.FileHandler):
    """Lets go what cannot be written: the run ends by what it meets itself, not by its log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        del record


def to_file(path: Path) -> None:
    """Sends this project's log to a file too, each line with its time (UTC)."""
    handler = _File(path, encoding='utf-8')
    formatter = logging.Formatter('%(asctime)s %(levelname)s %(message)s', '%Y-%m-%dT%H:%M:%SZ')
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger.addHandler(handler)
