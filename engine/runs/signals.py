r"""The signals that ask a training to stop, handled at once.

Python's own handlers would wait until XLA has compiled. The C-level handler of the interpreter writes the
number of a signal to a pipe. A thread reads it there.

| signal                    | sent by                               | what a training does                   |
|---------------------------|---------------------------------------|----------------------------------------|
| SIGTERM                   | kill, a shutdown, Slurm               | saves and exits with code 75           |
| SIGUSR1, SIGUSR2, SIGXCPU | clusters, ahead of a limit            | the same                               |
| SIGHUP                    | a terminal that closes                | the same; nothing under nohup          |
| SIGINT                    | Ctrl-C                                | saves and dies of SIGINT: loops end    |
| SIGQUIT                   | Ctrl-\                                | prints all stacks and dies, unsaved    |
| SIGTSTP, SIGCONT          | Ctrl-Z, fg                            | pauses, goes on                        |
"""

import ctypes
import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn, Self

from engine.errors import EXIT_INTERRUPTED, Interrupted, exit_code

STOP_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
URGENT_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # the second one ends a process at once
END_SECONDS = 30.0  # for libraries to end after an error
ECHO_SECONDS = 0.25  # `timeout`, a closing terminal and others send one request as several signals


def die_of(number: signal.Signals) -> NoReturn:
    """Ends this process by a signal, as if it had no handler for it; works in all threads.

    A shell then ends its loop or script too. It would not after an exit code.
    """
    ctypes.CDLL(None).signal(number, None)  # `signal.signal` works in the main thread only; NULL is SIG_DFL
    os.kill(os.getpid(), number)
    time.sleep(10)
    os._exit(128 + number)  # the caller blocks the signal


def _end_later(code: int) -> None:
    """Ends this process some time after an error, whatever threads of libraries wait for."""
    time.sleep(END_SECONDS)
    os._exit(code)


def _nothing() -> None:
    pass


def is_handled(number: signal.Signals) -> bool:
    """Whether a signal is handled. A shell has its background jobs ignore SIGINT, for another reason."""
    return number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN


class Signals:
    """Handles the signals that ask a process to stop, from entering the context on.

    Inside `graceful`, the first signal only sets `stop_requested`, and the work there ends by itself. Outside
    of it, the first signal ends the process at once. A later SIGTERM or Ctrl-C does so in any case. A signal
    that the caller of the program ignores, as `nohup` does, stays ignored.

    Args:
      process_ends: whether the process ends with the context. Then later signals are ignored, because
        everything is saved.

    Attributes:
      before_exit: called before the process ends at once.
      announce_exit: called after `before_exit`, so that other processes know.
      should_stop: decides for all processes of a run whether to stop now. Its argument is whether this
        process has received a signal.
      caused: whether an error is only the consequence of a signal, which made another process leave.
      is_alone: whether no other process takes part in the run. Then Ctrl-C ends this one by SIGINT.
    """

    def __init__(self, process_ends: bool = False):
        self._process_ends = process_ends
        self.before_exit = self.announce_exit = _nothing
        self.should_stop: Callable[[bool], bool] = bool
        self.caused: Callable[[BaseException], bool] = lambda _: False
        self.is_alone, self._newest, self._received_at = True, 0, 0.0
        self._received, self._is_graceful = threading.Event(), False
        self._exit_lock, self._is_ignoring = threading.Lock(), False

    def __enter__(self) -> Self:
        self._pipe, write_end = os.pipe()
        os.set_blocking(write_end, False)
        handled = [number for number in STOP_SIGNALS if is_handled(number)]
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in handled}
        faulthandler.register(signal.SIGQUIT, file=2, chain=True)
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
        faulthandler.unregister(signal.SIGQUIT)
        os.close(self._write_end)  # this ends the thread
        if self._process_ends and error:
            threading.Thread(target=_end_later, args=(exit_code(error),), daemon=True).start()
        if isinstance(error, Interrupted) and self._ends_by_sigint():
            raise KeyboardInterrupt from None

    def _listen(self) -> None:
        while number := os.read(self._pipe, 1):
            if number[0] in STOP_SIGNALS and not self._is_ignoring:
                self._receive(number[0])
        os.close(self._pipe)

    def _receive(self, number: int) -> None:
        is_second = self._received.is_set()
        is_echo = time.monotonic() - self._received_at < ECHO_SECONDS
        if is_second and (is_echo or number not in URGENT_SIGNALS):
            return
        self._newest, self._received_at = number, time.monotonic()
        if is_second or not self._is_graceful:
            self._exit()
        self._received.set()

    def _ends_by_sigint(self) -> bool:
        return self.is_alone and self._newest == signal.SIGINT

    def _exit(self) -> None:
        with self._exit_lock:
            if self._is_ignoring:
                return
            try:
                self.before_exit()
                self.announce_exit()
            finally:  # at once: the main thread may be inside XLA for another minute
                if self._ends_by_sigint():
                    die_of(signal.SIGINT)
                os._exit(EXIT_INTERRUPTED)

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
