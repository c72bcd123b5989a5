"""The log for people: plain lines on the terminal, and the same lines with their times in `train.log`."""

import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

logger = logging.getLogger('engine')

_QUIET_LOGGERS = ('absl', 'asyncio', 'jax', 'orbax')
_QUIET_WARNINGS = ('orbax', 'tensorflow_datasets', 'flax')


def to_terminal() -> None:
    """Sends this project's log to the terminal, as plain lines."""
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    logger.addHandler(_Terminal())
    logger.setLevel(logging.INFO)
    logger.propagate = False


def to_file(path: Path) -> None:
    """Sends this project's log to a file too, each line with its time (UTC)."""
    handler = _File(path, encoding='utf-8')
    formatter = logging.Formatter('%(asctime)s %(levelname)s %(message)s', '%Y-%m-%dT%H:%M:%SZ')
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger.addHandler(handler)


def silence_libraries() -> None:
    """Keeps the logs and warnings of libraries off the terminal. Their errors are raised as well."""
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    sys.excepthook, threading.excepthook = _in_main_thread(sys.excepthook), lambda _: None
    sys.unraisablehook = _without_echoes(sys.unraisablehook)
    for module in _QUIET_WARNINGS:
        warnings.filterwarnings('ignore', module=f'{module}.*')


class StatusLine:
    """The last line of the terminal, which changes in place. Lines of the log stand above it."""

    def __init__(self) -> None:
        self._shown = ''

    def show(self, text: str) -> None:
        """Shows a text, which must fit into the width of the terminal; '' removes the line."""
        print(f'\r\x1b[2K{text}', end='', flush=True)
        self._shown = text

    def print_above(self, line: str) -> None:
        """Prints a line, above the status line if there is one."""
        if self._shown:
            print(f'\r\x1b[2K{line}\n{self._shown}', end='', flush=True)
        else:
            print(line, flush=True)


status_line = StatusLine()


class _Terminal(logging.Handler):
    """Prints to the current stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        status_line.print_above(self.format(record))


class _File(logging.FileHandler):
    """Drops lines that cannot be written: the run itself reports a full disk, not its log."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        del record


def _in_main_thread(hook: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a hook that runs in the main thread only: threads of libraries pass their errors on anyway."""

    def main_thread_hook(*error: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            hook(*error)

    return main_thread_hook


def _without_echoes(hook: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Returns a hook without what a full disk leads to: files left open, callbacks of Orbax's writes."""

    def quiet_hook(error: Any) -> None:
        if not isinstance(error.exc_value, OSError) and str(error.exc_value) != 'Event loop is closed':
            hook(error)

    return quiet_hook
