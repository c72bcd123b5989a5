"""One process at work on a run: it holds the lock, keeps the status true, and ends in an orderly way."""

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import Interrupted, RunError
from engine.files import file_system_failure
from engine.runs import environment, faults, lock
from engine.runs.run_folder import FAILED, FINISHED, INTERRUPTED, RUNNING, Run
from engine.runs.signals import Signals
from engine.runs.text_log import logger

BEAT = 5.0  # seconds between heart-beats


class Session:
    """A process at work on a run.

    Args:
      run: its folder.
      signals: that ask for the end.
    """

    def __init__(self, run: Run, signals: Signals):
        self.run, self.signals = run, signals
        self.step = 0  # the newest that is known to be done
        self._moved_at = time.monotonic()

    def moved(self, step: int | None = None) -> None:
        """Notes that something has moved, and how far the run is."""
        self._moved_at = time.monotonic()
        self.step = self.step if step is None else step

    def moved_at(self) -> float:
        """Returns when something last moved, by `time.monotonic`."""
        return self._moved_at

    def adopt_config(self, save: Callable[[Path], None], changes: Mapping[str, tuple[str, str]]) -> None:
        """Saves the config of a new run, or one that was changed, with a record of what changed."""
        if changes:
            line = {'step': self.run.status().get('step', 0), 'changes': changes}
            with (self.run.folder / 'config_changes.jsonl').open('a', encoding='utf-8') as file:
                file.write(json.dumps(line) + '\n')
        if changes or not self.run.config.exists():
            save(self.run.config)
        self.run.seal_config()  # each time, for status.json may have been lost

    @contextmanager
    def recorded(self, **origin: Any) -> Iterator[None]:
        """Holds the run and records what goes on inside: its stack, its heart-beat, and how it ends.

        Args:
          origin: what environment.json says besides, such as the seed.

        Raises:
          UserError: if another process is training there.
          RunError: instead of what is no mistake in code or config, such as a full disk.
          Interrupted: as it is.
        """
        with lock.locked(self.run.folder, self.run.status()):
            self.signals.before_leaving = self._interrupted
            self.run.write_status(state=RUNNING, error=None, host=platform.node(), pid=os.getpid())
            faults.point('start')
            over = threading.Event()
            threading.Thread(target=self._beat, args=(over,), name='heart-beat', daemon=True).start()
            writing = threading.Thread(target=environment.write, args=(self.run.folder,), kwargs=origin)
            writing.start()  # beside the rest: git takes its time
            try:
                with self._ends():
                    yield
            finally:
                over.set()
                writing.join()

    @contextmanager
    def _ends(self) -> Iterator[None]:
        """Turns whatever happens inside into a status and, where no code is to blame, into one message."""
        try:
            yield
        except (Interrupted, KeyboardInterrupt):
            self._interrupted()
            raise Interrupted from None
        except BaseException as error:
            failure = file_system_failure(error)
            self.fail(failure or f'{type(error).__name__}: {error}'.splitlines()[0])
            if failure:
                raise RunError(f'{failure}. Fix that first. {self._how_to_go_on()}') from None
            raise

    def finish(self, step: int) -> None:
        """Records that the run has finished with this step; a signal can no longer have it otherwise."""
        self.signals.settle()
        self.run.write_status(state=FINISHED, step=step)

    def fail(self, message: str) -> None:
        """Records that the run has failed; a status that cannot be written is let go."""
        try:
            self.run.write_status(state=FAILED, error=message.splitlines()[0], step=self.step)
        except OSError:
            logger.error('and status.json cannot be written')

    def _interrupted(self) -> None:
        self.run.write_status(state=INTERRUPTED, step=self.step)
        logger.info('interrupted. %s', self._how_to_go_on())

    def _how_to_go_on(self) -> str:
        return f'To go on: scripts/train.sh --run={self.run.folder}'

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(BEAT):
            try:
                self.run.write_status(step=self.step)
            except OSError as error:  # the loop will meet it too, and say so
                logger.warning('status.json cannot be written: %s', error)
