"""Faults that happen to a training, and what each must come to."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.trainings import (
    REPOSITORY,
    Ending,
    Laboratory,
    differing,
    ending,
    wait_until_it_listens,
)
from engine.training.metric_log import digests

FINISHED, FAILED, MISTAKE, INTERRUPTED, KILLED = 0, 1, 2, 75, -signal.SIGKILL


@dataclass
class Case:
    """One run folder that meets faults, and what came of it.

    Attributes:
      fault: what is done to it; the row of the table.
      laboratory: where it runs.
      reference: the run that nothing happened to.
      run: its folder.
      times: faults met.
      differing: what is not equal in the end, to the bit.
      tracebacks: what was printed with one.
      hangs: processes that had to be killed.
      broken: promises that were not kept, in words.
      stops: seconds from a signal to the end.
    """

    fault: str
    laboratory: Laboratory
    reference: Path
    run: Path
    times: int = 0
    differing: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)
    hangs: int = 0
    broken: list[str] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)

    def judge(self, ended: Ending, *promised: int, says: str = '') -> None:
        """Notes how a process has ended: with a code, and words, that are promised or not."""
        self.hangs += ended.hung
        self.tracebacks += [ended.text[-3000:]] if 'Traceback' in ended.text else []
        if ended.code not in promised:
            self.broken.append(f'exit code {ended.code}, not {promised}: {ended.text[-600:]}')
        if not re.search(says, ended.text):
            self.broken.append(f'it does not say {says!r}: {ended.text[-600:]}')

    def train(
        self, *promised: int, fault: str = '', says: str = '', inside: Sequence[str] = (), met: bool = True
    ) -> Ending:
        """Trains, counts a fault that was met, and judges the end."""
        ended = self.laboratory.train(self.run, fault=fault, inside=inside)
        self.times += met
        self.judge(ended, *promised, says=says)
        return ended

    def stop(self, process: 'subprocess.Popen[str]', *signals: int) -> None:
        """Sends signals to a process and judges its end; one that has just finished has met none."""
        since = time.monotonic()
        for each in signals:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, each)
            time.sleep(0.01 * (len(signals) > 1))
        ended = ending(process, since)
        self.times += ended.code == INTERRUPTED
        self.stops.append(ended.seconds)
        self.judge(ended, INTERRUPTED, FINISHED)

    def finish(self, says: str = '') -> None:
        """Goes on by the same command, now left alone, and compares."""
        self.train(FINISHED, says=says, met=False)
        self.compare()

    def compare(self) -> None:
        """Compares a run that should be finished with the reference."""
        state = json.loads((self.run / 'status.json').read_text()).get('state')
        if state != 'finished':
            self.broken.append(f'its status is {state!r}')
        else:
            self.differing += differing(self.reference, self.run)


Fault = Callable[[Case, random.Random], None]


# Kills and signals


def killed_at_random(kills: int, seconds: float) -> Fault:
    """Kills the run so many times, each at a random time of its at most `seconds`."""

    def fault(case: Case, dice: random.Random) -> None:
        for _ in range(kills):
            process, since = case.laboratory.start(case.run), time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(dice.uniform(0, seconds))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            ended = ending(process, since)
            case.times += ended.code == KILLED
            case.judge(ended, KILLED, FINISHED)
        case.finish()

    return fault


def killed_at(*points: str) -> Fault:
    """Kills the run at named points, one after the other."""

    def fault(case: Case, dice: random.Random) -> None:
        for point in points:
            case.train(KILLED, fault=point)
        case.finish()

    return fault


def stopped_at_random(seconds: float, *signals: int) -> Fault:
    """Sends signals at a random time from when the program listens."""

    def fault(case: Case, dice: random.Random) -> None:
        process = case.laboratory.start(case.run)
        wait_until_it_listens(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0, seconds))
        case.stop(process, *signals)
        case.finish()

    return fault


def stopped_at(point: str) -> Fault:
    """Sends SIGTERM at a named point; at `compile` with nothing kept from earlier ones."""

    def fault(case: Case, dice: random.Random) -> None:
        kept = {'JAX_ENABLE_COMPILATION_CACHE': 'false'} if point == 'compile' else {}
        process = case.laboratory.start(case.run, fault=f'{point}:SIGTERM', **kept)
        case.times += 1
        # After `outputs` there may be nothing left to interrupt.
        case.judge(ending(process, time.monotonic()), INTERRUPTED, FINISHED)
        case.finish()

    return fault


# Damage


def flip(path: Path, dice: random.Random) -> None:
    """Flips one bit of a file."""
    content = bytearray(path.read_bytes())
    if content:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
        path.write_bytes(bytes(content))


def cut(path: Path, dice: random.Random) -> None:
    """Cuts a file short."""
    path.write_bytes(path.read_bytes()[: dice.randrange(max(1, path.stat().st_size))])


def delete(path: Path, dice: random.Random) -> None:
    """Deletes a file."""
    path.unlink()


DAMAGES = (flip, cut, delete)
# What is needed to go on, and therefore checked and spoken of; Orbax writes the other two when all is sealed.
CHECKED = re.compile(
    r'checkpoints/(?!.*(_CHECKPOINT_METADATA|commit_success\.txt)$)|logs/(train|val)\.jsonl$'
)


def kinds_of_files(run: Path) -> dict[str, list[str]]:
    """Returns the files of a run by kind: steps, splits and digests in their names count as alike."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(each for each in run.rglob('*') if each.is_file()):
        name = path.relative_to(run).as_posix()
        kind = re.sub(r'/\d+/', '/<step>/', re.sub(r'[0-9a-f]{32}', '<digest>', name))
        kind = re.sub(r'outputs/\w+/', 'outputs/<split>/', re.sub(r'tfevents.*', 'tfevents', kind))
        kinds.setdefault(kind, []).append(name)
    return kinds


def damaged(base: Path, names: Sequence[str], damage: Callable[[Path, random.Random], None]) -> Fault:
    """Damages one of some files in a copy of an unfinished run."""

    def fault(case: Case, dice: random.Random) -> None:
        shutil.copytree(base, case.run)
        name, sealed = dice.choice(names), _sealed_logs(case.run)
        before = (case.run / name).read_bytes()
        damage(case.run / name, dice)
        case.times += 1
        if name == 'config.gin':
            case.train(MISTAKE, says=r'config\.gin', met=False)
            (case.run / name).write_bytes(before)
        # What a log holds of the time after the newest checkpoint is written anew anyway, and not spoken of.
        harmless = name.startswith('logs/') and sealed == _sealed_logs(case.run)
        case.finish(says='damaged|trying an earlier' if CHECKED.match(name) and not harmless else '')

    return fault


def _sealed_logs(run: Path) -> dict[str, str]:
    """Returns the digests of the logs up to the newest checkpoint."""
    names = (folder.name for folder in (run / 'checkpoints' / 'latest').iterdir())
    return digests(run / 'logs', max((int(name) for name in names if name.isdecimal()), default=0))


# Trouble with the file system


@contextlib.contextmanager
def own_mounts() -> Iterator[list[str]]:
    """Yields a command that runs others among mounts of their own, which go with this context."""
    holder = subprocess.Popen(
        ['unshare', '--mount', '--propagation=private', 'sh', '-c', 'echo ready; exec sleep infinity'],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        yield ['nsenter', f'--target={holder.pid}', '--mount', f'--wd={REPOSITORY}']
    finally:
        holder.kill()
        holder.communicate()


def may_mount() -> bool:
    """Whether this process may mount file systems of its own."""
    if shutil.which('unshare') is None or shutil.which('nsenter') is None:
        return False
    mount = ['unshare', '--mount', '--propagation=private', 'mount', '-t', 'tmpfs', 'none', '/mnt']
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def full_disk(kilobytes: int) -> Fault:
    """Trains on a disk that fills up, and goes on when there is space."""

    def fault(case: Case, dice: random.Random) -> None:
        disk, run = case.run.with_name(f'{case.run.name}-disk'), case.run
        disk.mkdir()
        with own_mounts() as inside:
            command = [*inside, 'mount', '-t', 'tmpfs', '-o', f'size={kilobytes}k', 'none', str(disk)]
            subprocess.run(command, check=True)
            case.run = disk / 'run'
            case.train(FAILED, says='No space left|RESOURCE_EXHAUSTED', inside=inside)
            subprocess.run([*inside, 'mount', '-o', 'remount,size=100m', str(disk)], check=True)
            case.train(FINISHED, inside=inside, met=False)
            subprocess.run([*inside, 'cp', '-a', str(case.run), str(run)], check=True)
        case.run = run
        case.compare()

    return fault


def read_only(base: Path, part: str) -> Fault:
    """Goes on with an unfinished run of which a folder cannot be written, and again when it can."""

    def fault(case: Case, dice: random.Random) -> None:
        shutil.copytree(base, case.run)
        folder = str(case.run / part)
        with own_mounts() as inside:
            subprocess.run([*inside, 'mount', '--bind', folder, folder], check=True)
            subprocess.run([*inside, 'mount', '-o', 'remount,ro,bind', folder], check=True)
            case.train(FAILED, says='Read-only file system', inside=inside)
        case.finish()

    return fault


# Two at once, clocks, NaN


def two_at_once(then: int) -> Fault:
    """Starts a second training of a run while the first stands still; then lets that go on, or kills it."""

    def fault(case: Case, dice: random.Random) -> None:
        first = case.laboratory.start(case.run)
        _wait_for_steps(case.run)
        os.killpg(first.pid, signal.SIGSTOP)
        case.train(MISTAKE, says='is being trained by process')
        os.killpg(first.pid, then)
        case.judge(ending(first, time.monotonic()), FINISHED if then == signal.SIGCONT else KILLED)
        case.finish()

    return fault


def _wait_for_steps(run: Path) -> None:
    """Returns when a run has logged a step."""
    log = run / 'logs' / 'train.jsonl'
    while not (log.exists() and log.stat().st_size):
        time.sleep(0.01)


def _change_status(run: Path, **values: str) -> None:
    path = run / 'status.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def _in(days: float) -> str:
    """Returns a time as status.json has it."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec='seconds')


def elsewhere(base: Path) -> Fault:
    """Goes on with a run that another machine is at work on, and again when that has died."""

    def fault(case: Case, dice: random.Random) -> None:
        shutil.copytree(base, case.run)
        _change_status(case.run, state='running', host='elsewhere', heartbeat=_in(days=0))
        case.train(MISTAKE, says='is being trained by process .* on elsewhere')
        _change_status(case.run, heartbeat=_in(days=-1))
        case.finish()

    return fault


def clock_set_back(base: Path) -> Fault:
    """Goes on with a run all of whose times lie a year ahead."""

    def fault(case: Case, dice: random.Random) -> None:
        shutil.copytree(base, case.run)
        _change_status(case.run, started=_in(days=365), heartbeat=_in(days=365))
        later = time.time() + 365 * 86400
        for each in case.run.rglob('*'):
            os.utime(each, (later, later))
        case.times += 1
        case.finish()

    return fault


def not_a_number(case: Case, dice: random.Random) -> None:
    """Trains at a rate that makes the loss NaN: one message, and all that is needed to look at the step."""
    rate = '--gin_bindings=LEARNING_RATE = 1e30'
    process = case.laboratory.start(case.run, rate)
    ended = ending(process, time.monotonic())
    case.times += 1
    case.judge(ended, FAILED, says=r'error: step \d+: \w+ is (nan|inf)')
    kept = case.run / 'debug' / 'nonfinite'
    for name in ('batch.npz', 'state.npz', 'replay.py'):
        if not (kept / name).is_file():
            case.broken.append(f'debug/nonfinite has no {name}')
    replay = subprocess.run([sys.executable, kept / 'replay.py'], capture_output=True, text=True, check=False)
    if not re.search(r'FloatingPointError: .*(nan|inf)', replay.stderr):
        case.broken.append(f'replay.py does not say where it arises: {replay.stderr[-600:]}')
