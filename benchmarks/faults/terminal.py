"""A laptop that sleeps, and a terminal that closes."""

import contextlib
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import threading
import time

from benchmarks.faults.case import EXIT_STOPPED, Fault, FaultCase
from benchmarks.faults.training_process import (
    ProcessResult,
    wait_for_first_step,
    wait_for_result,
    wait_until_sigterm_is_handled,
)
from engine.errors import EXIT_FINISHED

SLEEP_SECONDS = 30.0
# A watchdog that would end the run if it counted the time asleep.
WATCHDOG = 'engine.runs.watchdog.Watchdog'
IMPATIENT = (
    f'--gin_bindings=engine.training.trainer.Trainer.watchdog = @{WATCHDOG}()',
    f'--gin_bindings={WATCHDOG}.seconds = {SLEEP_SECONDS / 2}',
    f'--gin_bindings={WATCHDOG}.end = True',
)
IGNORE_SIGHUP = ('sh', '-c', 'trap "" HUP; exec "$@"', 'sh')


def sleep(case: FaultCase, generator: random.Random) -> None:
    """Suspends the training for a while, soon after its first step. It must finish undisturbed."""
    process = case.starter.start(case.run, *IMPATIENT)
    wait_for_first_step(case.run)
    time.sleep(generator.uniform(0, 0.3))
    case.faults += process.poll() is None
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(SLEEP_SECONDS)
    os.killpg(process.pid, signal.SIGCONT)
    case.check(wait_for_result(process, time.monotonic()), EXIT_FINISHED)
    case.compare()


def can_open_terminals() -> bool:
    """Whether a training can be started in a terminal of its own."""
    return shutil.which('setsid') is not None


def close_terminal(seconds: float, ignore_sighup: bool) -> Fault:
    """Closes the terminal of a training within `seconds` of its start, as if its window was closed.

    Args:
      seconds: duration of an undisturbed run.
      ignore_sighup: whether the training ignores SIGHUP, as under nohup. Then it must finish.
    """

    def fault(case: FaultCase, generator: random.Random) -> None:
        master, slave = pty.openpty()
        prefix = ['setsid', '--ctty', *(IGNORE_SIGHUP if ignore_sighup else ())]
        process = case.starter.start(case.run, prefix=prefix, terminal=slave)
        os.close(slave)
        screen = _Screen(master)
        wait_until_sigterm_is_handled(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(generator.uniform(0, seconds))
        since, was_running = time.monotonic(), process.poll() is None
        screen.close()
        result = wait_for_result(process, since)
        case.faults += was_running
        if not ignore_sighup:
            case.stop_seconds.append(result.seconds)
        codes = (EXIT_FINISHED,) if ignore_sighup else (*EXIT_STOPPED, EXIT_FINISHED)
        case.check(ProcessResult(result.code, result.seconds, screen.text(case), result.hung), *codes)
        case.finish()

    return fault


class _Screen:
    """Reads what is printed to a terminal until the terminal is closed.

    Args:
      master: the end of the terminal that a window would hold.
    """

    def __init__(self, master: int):
        self._master, self._printed, self._closing = master, bytearray(), threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the training has ended
            while not self._closing.is_set():
                if select.select([self._master], [], [], 0.05)[0]:
                    self._printed += os.read(self._master, 4096)
        self._closing.wait()
        os.close(self._master)

    def close(self) -> None:
        """Closes the terminal. The system sends SIGHUP to the training, and its writes fail from now on."""
        self._closing.set()
        self._thread.join()

    def text(self, case: FaultCase) -> str:
        """Returns what was printed until then, and the log of the run."""
        log = case.run / 'logs' / 'train.log'
        logged = log.read_text(encoding='utf-8') if log.is_file() else ''
        return self._printed.decode('utf-8', 'replace') + logged
