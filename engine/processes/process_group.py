"""The processes of one run, on one machine or many: they agree on its folder and on its end.

The first process names the run and writes its files; the others work in a folder of their own that is deleted
at the end, but for the checkpoints, which all write together. What they tell each other goes through the
key-value store of `jax.distributed`, from a thread beside the loop, for the loop may be waiting for a process
that is gone. The store lives in the first process: when that one is killed, XLA aborts the others with a
message of its own.
"""

import atexit
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any, NoReturn

import jax

from engine.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_MISTAKE, Interrupted, UserError
from engine.runs.run_folder import Run
from engine.runs.signals import Signals

LOST = 15.0  # seconds without a sign of life after which a process is taken for dead
LOOK = 0.25  # seconds between looks at the board
START = 300  # seconds to wait for all processes at the start


@dataclass(frozen=True)
class Place:
    """Which process of how many this is, and where the first one can be reached (host:port)."""

    index: int
    count: int
    coordinator: str


class Group:
    """One process among those of a run.

    Args:
      board: what all processes write to and read, the client of `jax.distributed`; None for one alone.
      index: of this process.
      count: of processes.
    """

    def __init__(self, board: Any = None, index: int = 0, count: int = 1):
        self._board, self.index, self.count = board, index, count
        self.on_loss: Callable[[str], None] = lambda _: None
        self._over = threading.Event()
        self._asking, self._asked, self._stop_after = threading.Lock(), False, threading.Event()
        self._asks = self._last = 0

    @property
    def is_first(self) -> bool:
        """Whether this process names the run and writes its files."""
        return self.index == 0

    def shared(self, name: str, make: Callable[[], str]) -> str:
        """Returns what the first process makes, in all of them."""
        if self._board is None:
            return make()
        if self.is_first:
            self._tell(name, make())
        return self._wait(name)

    def meet(self, where: str) -> None:
        """Returns when all processes are here."""
        if self._board is not None:
            self._tell(f'{where}/{self.index}', 'here')
            for index in range(self.count):
                self._wait(f'{where}/{index}')

    @contextmanager
    def folder(self, run: Run | None) -> Iterator[Run]:
        """Gives a run's folder to the first process, and to the others one of their own with its logs."""
        path = self.shared('run', lambda: str(run.folder) if run else '')
        if self.is_first:
            self.meet('copied')
            yield Run(Path(path))
            return
        with tempfile.TemporaryDirectory() as own:
            copytree(Path(path) / 'logs', Path(own) / 'logs')
            for part in ('debug', 'outputs'):
                (Path(own) / part).mkdir()
            (Path(own) / 'checkpoints').symlink_to(Path(path) / 'checkpoints')
            self.meet('copied')
            yield Run(Path(own))

    def agreed(self, heard: bool) -> bool:
        """Whether all end now, given whether this process has heard a signal.

        All ask the same number of times. When one hears a signal, each names how often it has asked by then;
        all end at the first question after the largest of these numbers, which is the same step for all.
        """
        if self._board is None:
            return heard
        with self._asking:
            self._asks += 1
            asked = self._asked
        if asked:
            self._stop_after.wait()
        return asked and self._asks > self._last

    def leaving(self) -> None:
        """Tells the others that this process leaves at once."""
        if self._board is not None:
            self._tell(f'ended/{self.index}', f'{EXIT_INTERRUPTED}')
            self._let_others_look()

    def watch(self, signals: Signals) -> None:
        """Begins to look at the board: for signals that another process heard, and for its life."""
        if self._board is not None:
            threading.Thread(target=self._watch, args=(signals,), name='processes', daemon=True).start()

    def _watch(self, signals: Signals) -> None:
        seen = {index: ('', time.monotonic()) for index in range(self.count)}
        while not self._over.wait(LOOK):
            try:
                self._tell(f'alive/{self.index}', str(time.monotonic()))
                board = dict(self._board.key_value_dir_get('run/'))
            except jax.errors.JaxRuntimeError:
                self._leave(
                    'the first process cannot be reached: it has ended, or its machine is gone', EXIT_FAILED
                )
            told = {name.removeprefix('run/'): value for name, value in board.items()}
            self._look_for_ends(told)
            self._look_for_signals(told, signals)
            self._look_for_life(told, seen)

    def _look_for_ends(self, told: dict[str, str]) -> None:
        for index in range(self.count):
            code = told.get(f'ended/{index}', '0')
            if code == str(EXIT_INTERRUPTED):
                self._leave('', EXIT_INTERRUPTED)
            if code != '0':
                self._leave(f'process {index} of {self.count} has ended with exit code {code}', int(code))

    def _look_for_signals(self, told: dict[str, str], signals: Signals) -> None:
        names = [f'stop/{index}' for index in range(self.count)]
        asked = signals.heard() or any(name in told for name in names)
        if asked and not self._asked:
            with self._asking:
                self._asked = True
                self._tell(names[self.index], str(self._asks))
        if all(name in told for name in names):
            self._last = max(int(told[name]) for name in names)
            self._stop_after.set()

    def _look_for_life(self, told: dict[str, str], seen: dict[int, tuple[str, float]]) -> None:
        now = time.monotonic()
        for index, (sign, since) in seen.items():
            new = told.get(f'alive/{index}', '')
            seen[index] = (new, now) if new != sign else (sign, since)
            if now - seen[index][1] > LOST and f'ended/{index}' not in told:
                self._leave(
                    f'process {index} of {self.count} has not been heard of for {LOST:g} seconds: '
                    'it was killed, it hangs, or its machine is gone',
                    EXIT_FAILED,
                )

    def _leave(self, message: str, code: int) -> NoReturn:
        """Ends this process at once, for the main thread may be waiting for a lost one."""
        if message:
            self.on_loss(message)
        if message and (self.is_first or code != EXIT_MISTAKE):
            print(f'error: {message}. The same command goes on.', file=sys.stderr, flush=True)
        self._let_others_look()
        os._exit(code)

    def ended(self, error: BaseException | None) -> None:
        """Tells the others how this process has ended, unless another one turns out to be the cause."""
        if self._board is None:
            return
        if isinstance(error, jax.errors.JaxRuntimeError):
            time.sleep(LOST + 4 * LOOK)  # somebody may be missing: then the watch says who
        code = (
            {UserError: EXIT_MISTAKE, Interrupted: EXIT_INTERRUPTED}.get(type(error), EXIT_FAILED)
            if error
            else 0
        )
        if code in (0, EXIT_INTERRUPTED):
            self.meet('end')  # nobody leaves before; what follows is JAX's own farewell, at exit
            self._over.set()
            return
        if code == EXIT_MISTAKE and not self.is_first:
            time.sleep(LOST)  # if the first process says the same, this one ends meanwhile, silently
        self._over.set()
        self._tell(f'ended/{self.index}', str(code))
        atexit.register(_exit, code)  # or JAX would wait for the others, which may not come
        self._let_others_look()

    def _let_others_look(self) -> None:
        """Waits a moment in the first process, for the board goes with it."""
        if self.is_first:
            time.sleep(4 * LOOK)

    def _tell(self, name: str, value: str) -> None:
        self._board.key_value_set(f'run/{name}', value, allow_overwrite=True)

    def _wait(self, name: str) -> str:
        while True:
            board = dict(self._board.key_value_dir_get('run/'))
            if f'run/{name}' in board:
                return board[f'run/{name}']
            time.sleep(LOOK / 5)


def _exit(code: int) -> None:
    """Leaves this process without waiting for anything."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextmanager
def joined(place: Place | None, signals: Signals) -> Iterator[Group]:
    """Joins the processes of a run, if there are several: those of `place`, or what Slurm started.

    Args:
      place: of this process; None asks Slurm's environment.
      signals: that this process hears.

    Raises:
      UserError: if the others cannot be reached.
    """
    if place is None and int(os.environ.get('SLURM_NTASKS', '1')) == 1:
        yield Group()
        return
    group = _join(place)
    signals.agreed, signals.told = group.agreed, group.leaving
    group.watch(signals)
    try:
        yield group
    except BaseException as error:
        group.ended(error)
        raise
    group.ended(None)


def _join(place: Place | None) -> Group:
    """Connects this process with the others."""
    from jax._src import distributed  # its key-value store has no public name; Orbax uses it likewise

    jax.config.update('jax_enable_preemption_service', False)  # signals are ours
    where = (place.coordinator, place.count, place.index) if place else (None, None, None)
    try:
        jax.distributed.initialize(
            *where,
            initialization_timeout=START,
            heartbeat_timeout_seconds=int(4 * LOST),
            shutdown_timeout_seconds=10,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f'the other processes cannot be reached at {where[0] or "Slurm"}: {reason}') from None
    state = distributed.global_state
    return Group(state.client, state.process_id or 0, state.num_processes or 1)
