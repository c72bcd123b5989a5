"""The watchdog notices a run that hangs: in the data, on the device, in a checkpoint."""

import faulthandler
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EXIT_FAILED, UserError
from engine.runs.text_log import logger


@dataclass(frozen=True)
class Watchdog:
    """Writes the stacks of all threads when a run has not progressed for a while.

    Args:
      seconds: time without a step, an evaluation or a checkpoint after which the run counts as hanging. The
        watchdog counts its own turns, no clock: the time in which a laptop sleeps does not count.
      end: whether a hanging run is ended as failed. Otherwise it is only reported.
    """

    seconds: float = 900.0
    end: bool = False

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise UserError(f'Watchdog.seconds = {self.seconds:g}: it must be above 0. 1e9 switches it off.')

    @contextmanager
    def watch(
        self, last_progress: Callable[[], float], report: Path, fail: Callable[[str], None]
    ) -> Iterator[None]:
        """Watches while inside.

        Args:
          last_progress: returns when the run last progressed, on any clock.
          report: the file for the stacks.
          fail: records why the run is ended.
        """
        ended = threading.Event()
        arguments = (ended, last_progress, report, fail)
        threading.Thread(target=self._watch, args=arguments, name='watchdog', daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _watch(
        self,
        ended: threading.Event,
        last_progress: Callable[[], float],
        report: Path,
        fail: Callable[[str], None],
    ) -> None:
        turn = min(1.0, self.seconds / 4)
        last, turns = last_progress(), 0
        while not ended.wait(turn):
            before, last = last, last_progress()
            turns = turns + 1 if last == before else 0
            if (turns - 1) * turn < self.seconds <= turns * turn:  # once per hang
                self._report(report, fail)

    def _report(self, report: Path, fail: Callable[[str], None]) -> None:
        with report.open('a', encoding='utf-8') as file:
            faulthandler.dump_traceback(file, all_threads=True)
        message = f'the run has not progressed for {self.seconds:g} seconds; the stacks are in {report}'
        logger.warning(message)
        if self.end:
            fail(message)
            os._exit(EXIT_FAILED)
