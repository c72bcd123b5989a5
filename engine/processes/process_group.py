"""The processes of one run, on one machine or many, and the protocol between them.

1. **Join.** Each process connects to the first one, process 0, by `jax.distributed` (join.py). Process 0
   hosts the key-value store through which all messages go (kv_store.py).
2. **Folder.** Process 0 creates the run folder, broadcasts its path, and writes the files of the run. The
   others work in temporary folders, which start with a copy of the logs. Only the checkpoints are written by
   all processes together. A barrier, `copied`, makes sure that no log changes while it is copied.
3. **Heartbeat.** Each process renews `alive/<index>` every 0.25 seconds, in a thread (watch.py). A process
   without a heartbeat for 15 seconds counts as lost. The others then end with exit code 1. Each counts the
   seconds in which it is awake itself: processes that sleep together, as on a laptop, lose nobody.
4. **Agreement on a stop step.** A process that receives a signal announces `stop/<index>`, and so do the
   others when they see it. All stop at the same step, save together, and end (stop_agreement.py).
5. **Normal end.** All processes wait at the barrier `end`, so that none leaves while another needs it. JAX
   then shuts down its own connection.
6. **Failure.** A process that fails, or leaves at once, announces its exit code as `exit/<index>`. The others
   end with the same code. An error in JAX after a stop was announced is no failure: another process has left
   because of a second signal.
7. **Loss of process 0.** The store is gone with it. XLA aborts the other processes with a message of its own,
   or their watches notice first and end with exit code 1.
"""

import atexit
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copytree

from jax.errors import JaxRuntimeError

from engine.errors import EXIT_FINISHED, EXIT_INTERRUPTED, EXIT_MISTAKE, Interrupted, exit_code
from engine.processes.kv_store import POLL_SECONDS, KeyValueStore
from engine.processes.stop_agreement import StopAgreement
from engine.processes.watch import LOSS_SECONDS, Watch
from engine.runs.run_folder import Run
from engine.runs.safety import trust
from engine.runs.signals import Signals


class ProcessGroup:
    """A run in a single process; `DistributedGroup` is a run in several.

    Attributes:
      index: the number of this process.
      count: the number of processes.
      on_loss: called with the reason before this process ends because another one is gone.
    """

    def __init__(self, index: int = 0, count: int = 1):
        self.index, self.count = index, count
        self.on_loss: Callable[[str], None] = lambda _: None

    @property
    def is_first(self) -> bool:
        """Whether this process creates the run folder and writes its files."""
        return self.index == 0

    def broadcast(self, name: str, make: Callable[[], str]) -> str:
        """Returns what `make` returns in the first process, in all processes."""
        del name
        return make()

    def barrier(self, name: str) -> None:
        """Returns when all processes have reached the barrier `name`."""

    def end(self, error: BaseException | None) -> None:
        """Tells the other processes how this one ended: by `error`, or normally."""

    @contextmanager
    def folder(self, run: Run | None) -> Iterator[Run]:
        """Yields the run folder in the first process, and a temporary one with its logs in the others."""
        path = Path(self.broadcast('run', lambda: str(run.folder) if run else ''))
        with _work_folder(path, self.is_first) as folder:
            self.barrier('copied')
            yield Run(folder)


class DistributedGroup(ProcessGroup):
    """A run in several processes.

    Args:
      store: the messages of all processes.
      signals: the signals that this process receives; from now on all processes stop together.
    """

    def __init__(self, store: KeyValueStore, signals: Signals):
        super().__init__(store.index, store.count)
        self._store, agreement = store, StopAgreement(store)
        signals.is_alone = False
        signals.should_stop = lambda _: agreement.should_stop()
        # After a second signal, another process leaves in the middle of a step.
        signals.caused = lambda error: _is_loss(error) and agreement.is_announced
        signals.announce_exit = lambda: store.announce_exit(EXIT_INTERRUPTED)
        self._watch = Watch(store, agreement, signals, lambda message: self.on_loss(message))
        self._watch.start()

    def broadcast(self, name: str, make: Callable[[], str]) -> str:
        """Returns what `make` returns in the first process, in all processes."""
        if self.is_first:
            self._store.set(name, make())
        return self._store.wait_for(name)

    def barrier(self, name: str) -> None:
        """Returns when all processes have reached the barrier `name`."""
        self._store.barrier(name)

    def end(self, error: BaseException | None) -> None:
        """Tells the other processes how this one ended, unless the watch finds that another is the cause."""
        if _is_loss(error):
            # Another process may be lost. The watch then reports it and ends this process.
            time.sleep(LOSS_SECONDS + 4 * POLL_SECONDS)
        code = exit_code(error)
        if isinstance(error, Interrupted) and _is_loss(error.__context__):
            self._fail(code)  # another process has left already
        elif code in (EXIT_FINISHED, EXIT_INTERRUPTED):
            self.barrier('end')
            self._watch.stop()
        else:
            self._fail(code)

    def _fail(self, code: int) -> None:
        if code == EXIT_MISTAKE and not self.is_first:
            # The first process usually fails likewise and reports it. This one then ends silently.
            time.sleep(LOSS_SECONDS)
        self._watch.stop()
        atexit.register(_exit_now, code)  # JAX would wait for the other processes, which may never come
        with suppress(JaxRuntimeError):  # the first process, and the store with it, may be gone
            self._store.announce_exit(code)


@contextmanager
def _work_folder(run: Path, is_first: bool) -> Iterator[Path]:
    if is_first:
        yield run
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copytree(run / 'logs', folder / 'logs')
        for part in ('debug', 'outputs'):
            (folder / part).mkdir()
        (folder / 'checkpoints').symlink_to(run / 'checkpoints')
        (folder / trust.COPY).touch()
        yield folder


def _is_loss(error: BaseException | None) -> bool:
    """Whether an error may come from the loss of another process."""
    return isinstance(error, JaxRuntimeError)


def _exit_now(code: int) -> None:
    """Ends this process without waiting for anything."""
    with suppress(OSError):  # nobody may be reading
        sys.stdout.flush()
    os._exit(code)
