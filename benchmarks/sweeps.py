"""Sweeps whose workers are killed must end with the same runs, to the bit, as by one worker never killed.

    scripts/benchmark.sh sweeps                               grid, random, halving and tpe, 24 runs each
    scripts/benchmark.sh sweeps --only=tpe --runs=9
    scripts/benchmark.sh sweeps --folder=DIR                  keeps the sweeps

For each search, one worker trains a sweep. Then three workers train the same sweep. Two of them are killed
with SIGKILL twice each, once alone and once with their trainings, at random times, and started again.
All logs, checkpoints and outputs are compared. The survivors of the halving are trained once more without a
pause and compared, too, and the recorded runs of TPE are replayed. log.jsonl tells whether a worker waited
while a run was free. The exit code is 1 if anything differs, or if one did.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.training_process import differences
from engine.errors import EXIT_FAILED, EXIT_FINISHED
from engine.sweeps.sweep_folder import FINISHED, PAUSED, Sweep
from engine.sweeps.worker import POLL_SECONDS, command
from engine.workspace import REPOSITORY

WAIT_SECONDS = 300.0  # for a worker to claim a run
SLACK_SECONDS = 2.0  # between a run becoming free and the next worker's claim, on a busy machine

CONFIG = """
include '{repository}/configs/digits_mlp.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from research.models import mlp

STEPS = 40                 # steps
BATCH_SIZE = 8             # examples
mlp.MLP.width = 16         # units
trainer.Trainer:
  dataset = 'digits/toy'
  save_every = 7           # steps
  evaluate_every = 5       # steps
"""

# What varies, by the name of the case; {runs} and {third} are put in.
SEARCHES = {
    'grid': ('--vary', 'LEARNING_RATE=1e-4..1e-1:log:{third}', '--vary', 'SEED=0..2'),
    'random': ('--vary', 'LEARNING_RATE=1e-4..1e-1:log', '--search=random', '--trials={runs}'),
    'halving': ('--vary', 'LEARNING_RATE=1e-5..1e-1:log:{runs}', '--halving=3'),
    'tpe': (
        *('--vary', 'LEARNING_RATE=1e-5..1e-1:log', '--vary', 'mlp.MLP.width=8,16'),
        *('--search=tpe', '--trials={runs}'),
    ),
}
HEADINGS = (
    *('search', 'runs', 'finished', 'workers killed', 'trainings killed', 'waits', 'seconds'),
    *('differing files', 'waits while a run was free'),
)


@dataclass
class SweepCase:
    """A sweep with kills, compared with one without.

    Attributes:
      runs: number of runs.
      finished: number of runs that have finished.
      kills: number of workers killed.
      killed_trainings: number of trainings killed with their workers.
      waits: number of waits.
      seconds: of the sweep with kills.
      differing: what differs, a line each.
      free_waits: waits while a run was free, a line each.
    """

    runs: int
    finished: int
    kills: int
    killed_trainings: int
    waits: int
    seconds: float
    differing: list[str]
    free_waits: list[str]

    def cells(self) -> list[str]:
        """Returns the cells of its row of the table."""
        counts = (self.runs, self.finished, self.kills, self.killed_trainings, self.waits, self.seconds)
        return [*map(str, counts), str(len(self.differing)), str(len(self.free_waits))]


class SweepCampaign:
    """Runs the cases in one workspace: all share datasets and compiled programs.

    Args:
      folder: for the config and the workspace.
      runs: of each sweep, a multiple of 3.
      seed: of the times of the kills.
    """

    def __init__(self, folder: Path, runs: int, seed: int):
        folder.mkdir(parents=True, exist_ok=True)
        self._workspace, self._runs, self._random = folder / 'workspace', runs, random.Random(seed)
        self._config = folder / 'sweep.gin'
        self._config.write_text(CONFIG.format(repository=REPOSITORY), encoding='utf-8')
        self._environment = os.environ | {'WORKSPACE': str(self._workspace), 'JAX_PLATFORMS': 'cpu'}

    def case(self, search: str) -> SweepCase:
        """Trains the sweeps of a search and compares them."""
        put_in = {'runs': self._runs, 'third': self._runs // 3}
        flags = [f'--gin_file={self._config}', *(text.format(**put_in) for text in SEARCHES[search])]
        one, other, again = (self._sweep(f'{search}-{name}') for name in ('whole', 'killed', 'again'))
        _ended(self._start(one, *flags))
        start = time.monotonic()
        trainings = self._train_with_kills(other, flags)
        seconds = round(time.monotonic() - start, 1)
        differing = [*compare(one, other), *self._unbroken(one, other)]
        if search == 'tpe':
            _ended(self._start(again, f'--replay={one.folder}'))
            differing += compare(one, again)
        states, lines = [other.state(run.name)[0] for run in other.proposals()], log(other)
        waits = len([line for line in lines if line['event'] == 'waits'])
        counts = (len(states), states.count(FINISHED), 4, trainings, waits)
        return SweepCase(*counts, seconds, differing, free_waits(lines))

    def _sweep(self, name: str) -> Sweep:
        return Sweep(self._workspace / 'sweeps' / name)

    def _start(self, sweep: Sweep, *flags: str) -> 'subprocess.Popen[str]':
        """Starts a worker."""
        return subprocess.Popen(
            [sys.executable, '-m', 'engine.commands.sweep', f'--name={sweep.folder.name}', *flags],
            env=self._environment,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _train_with_kills(self, sweep: Sweep, flags: Sequence[str]) -> int:
        """Trains a sweep by three workers, two of which are killed twice; returns how many trainings were."""
        trainings = 0
        steady, *others = (self._start(sweep, *flags) for _ in range(3))
        for with_training in (False, True):
            for index, worker in enumerate(others):
                _wait_for_claim(sweep, worker)
                time.sleep(self._random.uniform(0, 5))
                trainings += _kill(worker, with_training)
                others[index] = self._start(sweep, *flags)
        for worker in (steady, *others):
            _ended(worker)
        return trainings

    def _unbroken(self, one: Sweep, other: Sweep) -> list[str]:
        """Trains the survivors of a halving without a pause; returns what differs."""
        survivors = [run for run in one.proposals() if one.state(run.name)[0] == FINISHED]
        differing = []
        for run in survivors if one.description()['rungs'] else ():
            folder = self._workspace / 'unbroken' / run.name
            train = command('train', [str(self._config)], run.bindings, False, f'--run={folder}')
            subprocess.run(train, env=self._environment, cwd=REPOSITORY, check=True, capture_output=True)
            files = {*differences(folder, one.run(run.name)), *differences(folder, other.run(run.name))}
            differing += [f'unbroken {run.name}: {file}' for file in sorted(files)]
        return differing


def compare(one: Sweep, other: Sweep) -> list[str]:
    """Returns what differs between two sweeps: runs, how they have ended, and their files."""
    names = [run.name for run in one.proposals()]
    if names != [run.name for run in other.proposals()]:
        return ['the sweeps have other runs']
    lines = []
    for name in names:
        states = [sweep.state(name) for sweep in (one, other)]
        if states[0] != states[1] or states[0][0] not in (FINISHED, PAUSED):
            lines.append(f'{name}: {states[0]} and {states[1]}')
        elif states[0][0] == FINISHED:
            lines += [f'{name}: {file}' for file in differences(one.run(name), other.run(name))]
        elif _logs(one.run(name)) != _logs(other.run(name)):
            lines.append(f'{name}: logs')
    return lines


def _logs(run: Path) -> list[bytes]:
    return [(run / 'logs' / name).read_bytes() for name in ('train.jsonl', 'val.jsonl')]


def log(sweep: Sweep) -> list[dict[str, Any]]:
    """Returns the lines of log.jsonl; none if the sweep has not begun."""
    path = sweep.folder / 'log.jsonl'
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def free_waits(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the waits of workers during which a run stayed free, a line each.

    A worker that waits looks again every half second. So a run that it waits for, and that nobody holds or
    that is interrupted meanwhile, is claimed soon.

    Args:
      lines: of log.jsonl.
    """
    found = []
    for index, wait in enumerate(lines):
        if wait['event'] != 'waits':
            continue
        of_worker = (line['time'] for line in lines[index + 1 :] if _is_of_worker(wait, line))
        end = next(of_worker, lines[-1]['time'])
        for run, holder in wait['holders'].items():
            of_run = [line for line in lines if line.get('run') == run and line['until'] == wait['until']]
            times = [wait['time']] * (not holder)
            times += [line['time'] for line in of_run if line['event'] == 'ended' and not _is_final(line)]
            free = [time for time in times if wait['time'] <= time and _stays_free(of_run, time, end)]
            found += [f'{run} was free while worker {wait["pid"]} waited' for _ in free]
    return found


def _is_of_worker(wait: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    return all(line.get(name) == wait[name] for name in ('host', 'pid', 'worker'))


def _is_final(line: Mapping[str, Any]) -> bool:
    return line['event'] == 'ended' and line['exit_code'] in (EXIT_FINISHED, EXIT_FAILED)


def _stays_free(lines: Iterable[Mapping[str, Any]], time: float, end: float) -> bool:
    """Whether a run that is free at a time is neither claimed nor found to have ended soon, before `end`."""
    if any(_is_final(line) and line['time'] <= time + POLL_SECONDS for line in lines):
        return False
    claims = [line['time'] for line in lines if line['event'] == 'claimed' and line['time'] >= time]
    return min([*claims, end]) - time > POLL_SECONDS + SLACK_SECONDS


def _ended(worker: 'subprocess.Popen[str]') -> None:
    """Waits for a worker. Raises `RuntimeError` if it failed."""
    text, _ = worker.communicate()
    if worker.returncode:
        raise RuntimeError(f'a worker ended with {worker.returncode}: {text}')


def _wait_for_claim(sweep: Sweep, worker: 'subprocess.Popen[str]') -> None:
    """Waits until a worker has claimed a run, or has ended because none was left."""
    deadline = time.monotonic() + WAIT_SECONDS
    while worker.poll() is None and time.monotonic() < deadline:
        if any(line['pid'] == worker.pid and line['event'] == 'claimed' for line in log(sweep)):
            return
        time.sleep(0.1)


def _kill(worker: 'subprocess.Popen[str]', with_training: bool) -> int:
    """Kills a worker, and the training that it has started if `with_training`; returns how many trainings."""
    pids = []
    for children in Path(f'/proc/{worker.pid}/task').glob('*/children') if with_training else ():
        with contextlib.suppress(OSError):
            pids += map(int, children.read_text().split())
    worker.kill()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    worker.communicate()
    return len(pids)


def main() -> int:
    """Runs the campaign; returns the exit code."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser('scripts/benchmark.sh sweeps', description=__doc__, formatter_class=raw)
    parser.add_argument('--runs', type=int, default=24, help='of each sweep; a multiple of 3')
    parser.add_argument('--only', default=','.join(SEARCHES), help='searches, separated by commas')
    parser.add_argument('--seed', type=int, default=0, help='seed of the times of the kills')
    parser.add_argument('--folder', type=Path, help='an empty folder that keeps the sweeps')
    arguments = parser.parse_args()
    cases = {}
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        campaign = SweepCampaign(folder.resolve(), arguments.runs, arguments.seed)
        print('|', ' | '.join(HEADINGS), '|\n|---|' + '---:|' * (len(HEADINGS) - 1), flush=True)
        for search in arguments.only.split(','):
            cases[search] = case = campaign.case(search)
            print('|', ' | '.join([search, *case.cells()]), '|', flush=True)
            for line in (*case.differing, *case.free_waits):
                print(f'  {search}: {line}', flush=True)
    is_kept = not any(case.differing or case.free_waits for case in cases.values())
    rows = {name: vars(case) for name, case in cases.items()}
    print(json.dumps({'benchmark': 'sweeps', 'kept': is_kept, 'rows': rows}))
    return EXIT_FINISHED if is_kept else EXIT_FAILED


if __name__ == '__main__':
    sys.exit(main())
