"""SIGTERM and Ctrl-C, heard at once: Python's own handlers would wait until XLA is done compiling.

The C-level handler of the interpreter writes the number of a signal to a pipe; a thread reads it there.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from engine.errors import EXIT_INTERRUPTED

HEARD = (signal.SIGINT, signal.SIGTERM)


def _nothing() -> None:
    pass


class Signals:
    """Listens for signals to end, from entering the context on.

    A first signal sets `requested` where something is under way that should be brought to an end (`orderly`),
    and leaves at once where nothing is. A second one leaves at once in any case.

    Args:
      ends: whether the process ends with the context: then later signals are ignored, for all is saved.

    Attributes:
      before_leaving: called before the process leaves at once.
      told: called then too, for other processes to know.
      agreed: given whether this process was asked to end, tells whether it ends: it may not be alone.
    """

    def __init__(self, ends: bool = False):
        self._ends = ends
        self.before_leaving = self.told = _nothing
        self.agreed: Callable[[bool], bool] = bool
        self._requested, self._ends_orderly = threading.Event(), False
        self._leaving, self._settled = threading.Lock(), False

    def __enter__(self) -> Self:
        self._pipe, pipe = os.pipe()
        os.set_blocking(pipe, False)
        self._handlers = {each: signal.signal(each, lambda *_: None) for each in HEARD}
        self._wakeup = signal.set_wakeup_fd(pipe, warn_on_full_buffer=False)
        self._end_of_pipe = pipe
        threading.Thread(target=self._listen, name='signals', daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for each, handler in self._handlers.items():
            signal.signal(each, signal.SIG_IGN if self._ends else handler)
        os.close(self._end_of_pipe)  # which ends the thread

    def _listen(self) -> None:
        while number := os.read(self._pipe, 1):
            if number[0] not in HEARD or self._settled:
                continue
            if self._requested.is_set() or not self._ends_orderly:
                self._leave()
            self._requested.set()
        os.close(self._pipe)

    def _leave(self) -> None:
        with self._leaving:
            if self._settled:
                return
            try:
                self.before_leaving()
                self.told()
            finally:
                os._exit(EXIT_INTERRUPTED)  # the main thread may be inside XLA, and come back in a minute

    def settle(self) -> None:
        """Has signals change nothing from here on, for all is saved."""
        with self._leaving:
            self._settled = True

    def heard(self) -> bool:
        """Whether this process has heard a signal."""
        return self._requested.is_set()

    def requested(self) -> bool:
        """Whether a signal has asked for the end, of all processes at the same step."""
        return self.agreed(self.heard())

    @contextmanager
    def orderly(self) -> Iterator[None]:
        """While inside, a first signal only sets `requested`: whoever is inside ends by itself."""
        self._ends_orderly = True
        try:
            yield
        finally:
            self._ends_orderly = False
