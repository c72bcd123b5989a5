"""The process at work on a run: it holds the lock, keeps status.json true, and records how the run ends."""

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import Interrupted, Paused, RunError
from engine.failures import file_system_failure
from engine.runs import faults, lock
from engine.runs.environment import record
from engine.runs.environment.differences import Differences
from engine.runs.run_folder import Run
from engine.runs.run_state import HEARTBEAT_SECONDS, RunState
from engine.runs.signals import Signals
from engine.runs.text_log import logger


class RunGuard:
    """Guards a run while this process works on it.

    Args:
      run: the run folder.
      signals: the signals that ask this process to stop.
      until: the step after which the training pauses; None: it does not.
    """

    def __init__(self, run: Run, signals: Signals, until: int | None = None):
        self.run, self.signals, self._until = run, signals, until
        self.step = 0  # the newest step that is known to be done
        self._progress_at = time.monotonic()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Holds the lock while inside; records the heartbeat and how the run ends.

        Raises:
          UserError: another process is training in the folder.
          RunError: the file system failed.
          Interrupted: a signal asked the process to stop.
          Paused: the training has reached the step at which it pauses.
        """
        with lock.locked(self.run.folder, self.run.status()):
            self.signals.before_exit = self._record_interruption
            own = {'host': platform.node(), 'pid': os.getpid()}
            self.run.write_status(state=RunState.RUNNING, error=None, stopped=None, **own)
            faults.point('start')
            with self._heartbeat(), self._ending():
                yield

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        ended = threading.Event()
        threading.Thread(target=self._beat, args=(ended,), name='heartbeat', daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                self.run.write_status(step=self.step)
            except OSError as error:  # the training loop fails likewise, and reports it
                logger.warning('status.json cannot be written: %s', error)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """Records every exception as a state; shortens failures of the file system to one message."""
        try:
            yield
        except Paused:
            self._pause()
            raise
        except BaseException as error:
            if isinstance(error, (Interrupted, KeyboardInterrupt)) or self.signals.caused(error):
                self._record_interruption()
                raise Interrupted from None
            failure = file_system_failure(error)
            self.fail(failure or f'{type(error).__name__}: {error}'.splitlines()[0])
            if failure:
                raise RunError(f'{failure}. Fix that first. {self._how_to_continue()}') from None
            raise

    def record(
        self,
        environment: dict[str, Any],
        differences: Differences,
        step: int,
        save_config: Callable[[Path], None],
    ) -> None:
        """Records what the run begins or resumes with.

        The config comes last, because a folder without one is not a run yet. It is saved each time, because
        its observers may differ.

        Args:
          environment: the present environment.
          differences: what differs from the last record.
          step: the step that the run resumes from, or reached at least.
          save_config: writes the operative config to a path.
        """
        differences.append_to(self.run.folder, 'train', step)
        record.write(self.run.folder, environment)
        self.run.save_config(save_config)

    def pauses_at(self, step: int) -> bool:
        """Whether the training pauses after a step: at the end of the first call that reaches `until`."""
        return self._until is not None and step >= self._until

    def note_progress(self, step: int | None = None) -> None:
        """Notes that the run has progressed, and to which step if that is known."""
        self._progress_at = time.monotonic()
        self.step = self.step if step is None else step

    def last_progress(self) -> float:
        """Returns when the run last progressed, in seconds of `time.monotonic`."""
        return self._progress_at

    def finish(self, step: int, reason: str = '') -> None:
        """Records that the run has finished. Later signals no longer change that.

        Args:
          step: the last step.
          reason: why the training stopped there; '' if it reached its end.
        """
        self.signals.ignore()
        stopped = {'step': step, 'reason': reason} if reason else None
        self.run.write_status(state=RunState.FINISHED, step=step, stopped=stopped)

    def fail(self, message: str) -> None:
        """Records that the run has failed, if status.json can be written."""
        try:
            self.run.write_status(state=RunState.FAILED, error=message.splitlines()[0], step=self.step)
        except OSError:
            logger.error('status.json cannot be written either')

    def _pause(self) -> None:
        """Records that the run has paused. Later signals no longer change that."""
        self.signals.ignore()
        self.run.write_status(state=RunState.PAUSED, step=self.step)
        logger.info('paused after step %d. %s', self.step, self._how_to_continue())

    def _record_interruption(self) -> None:
        self.run.write_status(state=RunState.INTERRUPTED, step=self.step)
        logger.info('interrupted. %s', self._how_to_continue())

    def _how_to_continue(self) -> str:
        return f'To resume: scripts/train.sh --run={self.run.folder}'
