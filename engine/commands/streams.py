"""The standard streams of a program: always open, able to write any text, and no reason to end a training.

This module imports the standard library alone.
"""

import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast


def prepare() -> None:
    """Opens closed streams on /dev/null, and has stdout and stderr escape what their encoding lacks.

    A closed stream would give its number to the next file that is opened, and messages would go there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _open_null(descriptor)
    for name in ('stdout', 'stderr'):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, 'w', encoding='utf-8'))  # noqa: SIM115, PTH123 (for good)
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')


@contextmanager
def optional_output() -> Iterator[None]:
    """While inside, nothing fails because stdout or stderr cannot be written, such as a closed terminal."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, _Optional(stream)) for stream in streams)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout, sys.stderr = streams


_documents: list[TextIO] = []  # stdout, while text goes to stderr


@contextmanager
def text_to_stderr() -> Iterator[None]:
    """While inside, what this process and its children print goes to stderr. `stdout` still returns stdout.

    Libraries in C and child processes write to descriptor 1, so it leads to stderr too.
    """
    text = sys.stdout
    text.flush()
    with _documents_on_another_descriptor(text) as document:
        _documents.append(document)
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            sys.stdout = text
            _documents.pop()


@contextmanager
def _documents_on_another_descriptor(text: TextIO) -> Iterator[TextIO]:
    """Yields a stream to where descriptor 1 leads, which itself leads to stderr while inside."""
    if not _is_descriptor_1(text):  # a test has replaced it
        yield text
        return
    kept = os.dup(1)
    os.dup2(2, 1)
    document = os.fdopen(kept, 'w', encoding=text.encoding, errors='backslashreplace', closefd=False)
    try:
        yield document
    finally:
        with suppress(OSError):  # `print` has raised it already
            document.close()
        os.dup2(kept, 1)
        os.close(kept)


def _is_descriptor_1(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 1
    except (OSError, ValueError, AttributeError):
        return False


def stdout() -> TextIO:
    """Returns stdout, even while printed text goes to stderr."""
    return _documents[-1] if _documents else sys.stdout


def discard(stream: TextIO) -> None:
    """Sends what a stream still holds, and all that follows, to /dev/null: also what C libraries write."""
    try:
        _open_null(stream.fileno())
    except (OSError, ValueError):  # it has no descriptor, or is closed: there is nothing to flush
        return


def flush() -> OSError | None:
    """Writes what stdout still holds; returns why that is impossible, after which stdout is /dev/null."""
    try:
        sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)
        return error
    return None


def reader_is_gone() -> bool:
    """Whether stdout or stderr is a pipe that nobody reads any more, as after `| head`."""
    poll = select.poll()
    for descriptor in (1, 2):
        poll.register(descriptor, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))


class _Optional:
    """A stream that drops what it cannot write."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        self._attempt(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, function: Any, *arguments: Any) -> None:
        try:
            function(*arguments)
        except (OSError, ValueError):
            discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _open_null(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    os.set_inheritable(descriptor, True)
