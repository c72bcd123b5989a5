"""SIGTERM and Ctrl-C, handled at once. Python's own handlers would wait until XLA has compiled.

The C-level handler of the interpreter writes the number of a signal to a pipe. A thread reads it there.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from engine.errors import EXIT_INTERRUPTED

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _nothing() -> None:
    pass


class Signals:
    """Handles the signals that ask a process to stop, from entering the context on.

    Inside `graceful`, the first signal only sets `stop_requested`, and the work there ends by itself. Outside
    of it, the first signal ends the process at once. A second signal ends the process at once in any case.

    Args:
      process_ends: whether the process ends with the context. Then later signals are ignored, because
        everything is saved.

    Attributes:
      before_exit: called before the process ends at once.
      announce_exit: called after `before_exit`, so that other processes know.
      should_stop: decides for all processes of a run whether to stop now. Its argument is whether this
        process has received a signal.
    """

    def __init__(self, process_ends: bool = False):
        self._process_ends = process_ends
        self.before_exit = self.announce_exit = _nothing
        self.should_stop: Callable[[bool], bool] = bool
        self._received, self._is_graceful = threading.Event(), False
        self._exit_lock, self._is_ignoring = threading.Lock(), False

    def __enter__(self) -> Self:
        self._pipe, write_end = os.pipe()
        os.set_blocking(write_end, False)
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in STOP_SIGNALS}
        self._previous_wakeup = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self._write_end = write_end
        threading.Thread(target=self._listen, name='signals', daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._previous_wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_IGN if self._process_ends else handler)
        os.close(self._write_end)  # this ends the thread

    def _listen(self) -> None:
        while number := os.read(self._pipe, 1):
            if number[0] not in STOP_SIGNALS or self._is_ignoring:
                continue
            if self._received.is_set() or not self._is_graceful:
                self._exit()
            self._received.set()
        os.close(self._pipe)

    def _exit(self) -> None:
        with self._exit_lock:
            if self._is_ignoring:
                return
            try:
                self.before_exit()
                self.announce_exit()
            finally:
                os._exit(EXIT_INTERRUPTED)  # the main thread may be inside XLA for another minute

    def ignore(self) -> None:
        """Ignores all signals from now on, because everything is saved."""
        with self._exit_lock:
            self._is_ignoring = True

    def received(self) -> bool:
        """Whether this process has received a signal."""
        return self._received.is_set()

    def stop_requested(self) -> bool:
        """Whether to stop now; all processes of a run get the same answer at the same step."""
        return self.should_stop(self.received())

    @contextmanager
    def graceful(self) -> Iterator[None]:
        """While inside, the first signal only sets `stop_requested`. The code inside must end by itself."""
        self._is_graceful = True
        try:
            yield
        finally:
            self._is_graceful = False
