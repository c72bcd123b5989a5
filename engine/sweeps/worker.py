"""A worker of a sweep: it takes the next free run, trains it in a process, and records how it ended."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import EXIT_FINISHED, EXIT_INTERRUPTED
from engine.sweeps import claims, rungs, search, unchanged
from engine.sweeps.claims import Claim
from engine.sweeps.sweep_folder import FAILED, FINISHED, PAUSED, Proposal, Sweep, task

POLL_SECONDS = 0.5  # between two looks at runs that other workers train
MAX_KILLS = 3  # a training that is killed more often has failed: it may need more memory than there is
MESSAGE_LINES = 20
BUILDING = 'building the run with '  # what sweep_probe says before it builds a run


@dataclass(frozen=True)
class Worker:
    """A worker.

    Attributes:
      sweep: its sweep.
      name: its name in the log.
      environment: the environment of its trainings; it chooses their device.
      stop: set when all workers of this process are to stop.
      trust: whether the user trusts configs from elsewhere.
      tell: called with each run that has ended, or paused at a rung, and with its state.
    """

    sweep: Sweep
    name: str
    environment: Mapping[str, str]
    stop: threading.Event
    trust: bool = False
    tell: Callable[[Proposal, str], None] = lambda run, state: None
    _kills: dict[str, int] = field(default_factory=dict)

    def work(self) -> None:
        """Trains free runs until all have ended: rung after rung, then to the end."""
        description, objective = self.sweep.description(), self.sweep.objective
        proposals = self.sweep.proposals
        for step in description['rungs']:
            self._finish_all(proposals, step)
            if self.stop.is_set():
                return
            assert objective
            best = rungs.survivors(self.sweep, proposals(), step, description['halving'], objective)
            proposals = best.copy
        self._finish_all(proposals, None)

    def _finish_all(self, proposals: Callable[[], Sequence[Proposal]], step: int | None) -> None:
        """Trains runs up to a step, or to the end; waits for those that other workers train."""
        is_waiting = False
        while not self.stop.is_set():
            left = [run for run in proposals() if not self.sweep.ended(task(run.name, step))]
            if any(self._take(run, step) for run in left) or search.propose(self.sweep):
                is_waiting = False
            elif not left:
                return
            else:
                if not is_waiting:
                    holders = {run.name: claims.owner(self._claims, run.name) for run in left}
                    self.sweep.log('waits', worker=self.name, until=step, holders=holders)
                is_waiting = True
                self.stop.wait(POLL_SECONDS)

    @property
    def _claims(self) -> Path:
        return self.sweep.folder / 'claims'

    def _take(self, run: Proposal, step: int | None) -> bool:
        """Trains a run if it is free; returns whether it was."""
        if self.stop.is_set():
            return False
        claimed = claims.claim(self._claims, run.name, self.sweep.run(run.name))
        if not claimed:
            return False
        try:
            if not self.sweep.ended(task(run.name, step)):  # another worker may have ended it since
                self._train(run, step, claimed)
        finally:
            claimed.release()
        return True

    def _train(self, run: Proposal, step: int | None, claimed: Claim) -> None:
        unchanged.check(self.sweep)
        self.sweep.log('claimed', worker=self.name, run=run.name, until=step)
        code, message = self._wait(self._command(run, step), claimed)
        if code == EXIT_FINISHED:
            self._end(run, step, PAUSED if step else FINISHED)
        elif not self.stop.is_set() and not self._is_free_again(run, code):
            self._end(run, step, FAILED, exit_code=code, message=message)
        self.sweep.log('ended', worker=self.name, run=run.name, until=step, exit_code=code)

    def _end(self, run: Proposal, step: int | None, state: str, **values: object) -> None:
        self.sweep.end(task(run.name, step), state=state, **values)
        self.tell(run, state)

    def _is_free_again(self, run: Proposal, code: int) -> bool:
        """Whether a training was killed or stopped from outside, and not too often."""
        if code >= 0 and code != EXIT_INTERRUPTED:
            return False
        self._kills[run.name] = self._kills.get(run.name, 0) + 1
        return self._kills[run.name] < MAX_KILLS

    def _command(self, run: Proposal, step: int | None) -> list[str]:
        flags = [
            '--processes=1',
            f'--run={self.sweep.run(run.name)}',
            *[f'--until={step}'] * (step is not None),
        ]
        return command('train', self.sweep.description()['gin_files'], run.bindings, self.trust, *flags)

    def _wait(self, command: Sequence[str], claimed: Claim) -> tuple[int, str]:
        """Runs a training; returns its exit code and the end of what it wrote to stderr."""
        training = subprocess.Popen(
            command,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors='replace',
            pass_fds=[claimed.descriptor],
            process_group=0,  # Ctrl-C reaches it once, from here
        )
        lines: deque[str] = deque(maxlen=MESSAGE_LINES)
        assert training.stderr is not None
        reader = threading.Thread(target=lines.extend, args=(training.stderr,), daemon=True)
        reader.start()
        try:
            self._watch(training, claimed)
        finally:
            training.kill()  # it still runs only if its claim could not be renewed
            training.wait()
        reader.join(1)
        return training.returncode, ''.join(lines)

    def _watch(self, training: 'subprocess.Popen[str]', claimed: Claim) -> None:
        """Waits for a training; asks it once to stop when the worker is to stop."""
        is_asked = False
        while training.poll() is None:
            claimed.beat()
            if self.stop.is_set() and not is_asked:
                training.send_signal(signal.SIGTERM)  # it saves its state and ends
                is_asked = True
            with contextlib.suppress(subprocess.TimeoutExpired):
                training.wait(0.1)


def command(
    program: str, gin_files: Iterable[str], bindings: Iterable[str], trust: bool, *flags: str
) -> list[str]:
    """Returns the command of a program that takes the config of a run, with more flags."""
    config = [f'--gin_file={name}' for name in gin_files] + [f'--gin_bindings={text}' for text in bindings]
    return [sys.executable, '-m', f'engine.commands.{program}', *config, *['--trust'] * trust, *flags]


def start(workers: Sequence[Worker]) -> list[BaseException]:
    """Runs workers in threads until all runs have ended or `stop` is set; returns their exceptions."""
    failures: list[BaseException] = []

    def guarded(worker: Worker) -> None:
        try:
            worker.work()
        except BaseException as error:
            failures.append(error)
            worker.stop.set()

    threads = [threading.Thread(target=guarded, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.1)  # a signal is handled here, by the main thread
    return failures
