"""Notices a run that hangs: in data, on the device, in a checkpoint."""

import faulthandler
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.runs.text_log import logger


@dataclass(frozen=True)
class Watchdog:
    """Writes the stacks of all threads when nothing has moved for a while.

    Args:
      seconds: without a step, an evaluation or a checkpoint, after which a run counts as hanging.
      end: whether it is then ended, as failed, rather than only reported.
    """

    seconds: float = 900.0
    end: bool = False

    @contextmanager
    def watch(
        self, moved_at: Callable[[], float], report: Path, fail: Callable[[str], None]
    ) -> Iterator[None]:
        """Watches while inside.

        Args:
          moved_at: the time, by `time.monotonic`, at which something last moved.
          report: file for the stacks.
          fail: records why the run is ended.
        """
        over = threading.Event()
        arguments = (over, moved_at, report, fail)
        threading.Thread(target=self._watch, args=arguments, name='watchdog', daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _watch(
        self, over: threading.Event, moved_at: Callable[[], float], report: Path, fail: Callable[[str], None]
    ) -> None:
        reported: float | None = None
        while not over.wait(min(1.0, self.seconds / 4)):
            last = moved_at()
            if time.monotonic() - last < self.seconds or last == reported:
                continue
            reported = last
            with report.open('a', encoding='utf-8') as file:
                faulthandler.dump_traceback(file, all_threads=True)
            message = f'nothing has moved for {self.seconds:g} seconds; the stacks are in {report}'
            logger.warning(message)
            if self.end:
                fail(message)
                os._exit(1)
