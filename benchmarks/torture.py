"""The fault campaign: each run meets faults, resumes, and must end equal to an undisturbed run, to the bit.

    scripts/torture.sh                                   all faults
    scripts/torture.sh --seed=7 --kills=10 --terms=5     fewer random signals
    scripts/torture.sh --only='terminal|asleep'          the faults whose names match
    scripts/torture.sh --folder=DIR --minutes=30         stops in time; the same command continues

The campaign trains one undisturbed run, the reference. All other runs meet faults. The same command resumes
them until they finish. Then their logs, checkpoints and outputs are compared with those of the reference. The
exit code is 1 if any promise was broken, and 75 if faults are left for the next call.
"""

import argparse
import contextlib
import json
import math
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.faults import damage, file_system, other, signals, terminal
from benchmarks.faults.case import EXIT_KILLED, Fault, FaultCase
from benchmarks.faults.training_process import TrainingStarter, differences
from engine.errors import EXIT_FAILED, EXIT_FINISHED, EXIT_INTERRUPTED
from engine.runs.faults import POINTS

MAX_STOP_SECONDS = 5.0  # from a signal to the end of the training
# Points that a run passes more than once.
REPEATED_POINTS = (
    'compile', 'step', 'evaluation', 'log', 'save', 'checksums', 'checksums_written', 'outputs'
)  # fmt: skip
# Kinds of files that are damaged in a run stopped midway: those that resuming depends on.
MIDWAY_FILES = re.compile(r'status\.json|logs/(train|val)|latest/<step>/(checksums\.json|default/d/)')
# Kinds of files that are damaged in a finished run: its results.
RESULT_FILES = re.compile(
    r'logs/(train|val)|(latest|best)/<step>/default/d/|outputs/<split>/(logits|manifest)'
)


class Campaign:
    """A list of faults, and the folder of the runs that meet them.

    Args:
      folder: for all runs.
      seed: of all random choices.
      bindings: Gin bindings that override the config of the runs.
      workers: number of trainings that run at the same time.

    Attributes:
      starter: starts the trainings.
      reference: the folder of the undisturbed run.
      skipped: the kinds of faults that cannot be caused here, and why.
    """

    def __init__(self, folder: Path, seed: int, bindings: Sequence[str] = (), workers: int = 2):
        self._folder, self._seed, self._workers = folder, seed, workers
        self._results, self._lock = folder / 'results.jsonl', threading.Lock()
        self.starter, self.reference = TrainingStarter(folder, bindings), folder / 'reference'
        self.skipped: dict[str, str] = {}
        self._faults: list[tuple[str, Fault]] = []

    def prepare(self) -> float:
        """Trains the reference; returns the seconds that it took.

        An equal run is trained first: it fills the compilation cache, and two undisturbed runs must be equal.
        """
        twin, seconds = self._folder / 'twin', self._folder / 'seconds.txt'
        if seconds.exists():
            return float(seconds.read_text())
        first, second = self.starter.train(twin), self.starter.train(self.reference)
        if first.code or second.code or differences(twin, self.reference):
            raise RuntimeError(f'two undisturbed runs differ: {first.text}{second.text}')
        seconds.write_text(str(second.seconds))
        return second.seconds

    def train_until(self, name: str, point: str) -> Path:
        """Trains a run that is killed at a named point; returns its folder, whose copies can be damaged."""
        run, mark = self._folder / name, self._folder / f'{name}.trained'
        if not mark.exists():
            result = self.starter.train(run, fault=point)
            if result.code != EXIT_KILLED:
                raise RuntimeError(f'the training never passed the point {point}: {result.text}')
            mark.touch()
        return run

    def add(self, name: str, fault: Fault, runs: int = 1) -> None:
        """Adds a fault that happens to some runs. Faults of one name share a row of the table."""
        self._faults += [(name, fault)] * runs

    def run(self, only: str = '', minutes: float = math.inf) -> list[FaultCase]:
        """Causes the faults that the folder holds no result of.

        Args:
          only: a regular expression; faults whose names it does not match are left out.
          minutes: after which no further fault is caused.

        Returns:
          A case for each run that has a result.
        """
        deadline, results = time.monotonic() + 60 * minutes, self._earlier_results()
        missing = [number for number, (name, _) in self._wanted(only) if number not in results]
        with ThreadPoolExecutor(self._workers) as pool:
            list(pool.map(partial(self._cause, deadline, results), missing))
        return [results[number] for number, _ in self._wanted(only) if number in results]

    def missing(self, only: str, cases: Sequence[FaultCase]) -> int:
        """Returns how many runs have no result yet."""
        return len(self._wanted(only)) - len(cases)

    def _wanted(self, only: str) -> list[tuple[int, tuple[str, Fault]]]:
        return [(number, named) for number, named in enumerate(self._faults) if re.search(only, named[0])]

    def _earlier_results(self) -> dict[int, FaultCase]:
        """Returns the results in the folder, by the number of the run."""
        text = self._results.read_text(encoding='utf-8') if self._results.exists() else ''
        records = [json.loads(line) for line in text.splitlines()]
        return {
            record.pop('number'): FaultCase(
                **record, starter=self.starter, reference=self.reference, run=self._folder
            )
            for record in records
        }

    def _cause(self, deadline: float, results: dict[int, FaultCase], number: int) -> None:
        if time.monotonic() > deadline:
            return
        name, fault = self._faults[number]
        run = self._folder / f'{number:03}'
        shutil.rmtree(run, ignore_errors=True)  # of a campaign that was ended here
        case = FaultCase(name, self.starter, self.reference, run)
        fault(case, random.Random(f'{self._seed} {number}'))
        for problem in [*case.broken, *case.differing, *case.tracebacks]:
            print(f'{name}: {problem}', flush=True)
        shutil.rmtree(run, ignore_errors=True)
        with self._lock, self._results.open('a', encoding='utf-8') as file:
            file.write(json.dumps({'number': number} | case.record()) + '\n')
            results[number] = case


# What a campaign draws, so that events fall on other steps each time.
DRAWN = {
    'log_every': ('1', '3', '10'),
    'evaluate_every': ('None', '7', '20'),
    'keep_every': ('None', '15'),
    'validation_batches': ('None', '1'),
    'steps_per_dispatch': ('1', '4'),
    'validate': ("('val',)", "('val', 'test')"),
}


def draw_bindings(seed: int) -> tuple[str, ...]:
    """Returns the Gin bindings that a campaign draws: when something is due, and what is evaluated."""
    choose = random.Random(seed).choice
    return tuple(f'trainer.Trainer.{name} = {choose(values)}' for name, values in DRAWN.items())


def add_all(campaign: Campaign, seconds: float, kills: int, terms: int) -> None:
    """Adds every fault to a campaign.

    Args:
      campaign: that the faults are added to; its reference is trained.
      seconds: duration of an undisturbed run.
      kills: number of SIGKILLs at random times.
      terms: number of SIGTERMs at random times.
    """
    for start in range(0, kills, 5):
        campaign.add('SIGKILL at random times', signals.kill_at_random(min(5, kills - start), seconds))
    points = [point for point in POINTS if point != 'pictures']  # the trained task makes none
    for point in [*points, *(f'{point}@2' for point in REPEATED_POINTS)]:
        campaign.add('SIGKILL at each named point', signals.kill_at(point))
    for point in points:
        campaign.add('SIGTERM at each named point', signals.stop_at(point))
    campaign.add('SIGTERM at a random time', signals.stop_at_random(seconds, signal.SIGTERM), terms)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        campaign.add(f'{number.name} at a random time', signals.stop_at_random(seconds, number), 5)
    twice = signals.stop_at_random(seconds, signal.SIGTERM, signal.SIGTERM)
    campaign.add('SIGTERM twice', twice, 5)
    campaign.add('asleep for 30 seconds', terminal.sleep, 3)
    add_terminals(campaign, seconds)
    midway, late = campaign.train_until('midway', 'save@4'), campaign.train_until('late', 'finish')
    add_damages(campaign, late)
    add_damages(campaign, midway, MIDWAY_FILES)
    add_damages(campaign, campaign.reference, RESULT_FILES)
    add_file_systems(campaign, midway)
    campaign.add('second training of a run', other.second_training(signal.SIGCONT))
    campaign.add('second training of a run, then first killed', other.second_training(signal.SIGKILL))
    campaign.add('training on another machine', other.training_elsewhere(midway))
    campaign.add('clock set back', other.set_clock_back(midway))
    campaign.add('NaN loss', other.nan_loss)


def add_terminals(campaign: Campaign, seconds: float) -> None:
    """Adds closed terminals if trainings can be started in terminals of their own."""
    if not terminal.can_open_terminals():
        campaign.skipped['terminal closed'] = 'setsid of util-linux is missing'
        return
    campaign.add('terminal closed', terminal.close_terminal(seconds, ignore_sighup=False), 5)
    campaign.add('terminal closed under nohup', terminal.close_terminal(seconds, ignore_sighup=True), 3)


def add_damages(campaign: Campaign, base: Path, kinds: re.Pattern[str] = re.compile('')) -> None:
    """Adds each kind of damage to each kind of file of a run whose name matches."""
    for kind, names in damage.files_by_kind(base).items():
        place = re.match(r'checkpoints/\w+|\w+(?=/)|config\.gin|status\.json|', kind)
        name = f'damage: {place[0] if place and place[0] else "other files"}'
        name = 'damage: a finished run' if base == campaign.reference else name
        for harm in damage.DAMAGES if kinds.search(kind) else ():
            campaign.add(name, damage.damage_file(base, names, harm))


def add_file_systems(campaign: Campaign, base: Path) -> None:
    """Adds full disks and read-only folders if this process may mount file systems."""
    if not file_system.can_mount():
        reason = 'mounting is not allowed: run this as root'
        campaign.skipped |= {'full disk': reason, 'read-only folder': reason}
        return
    size = sum(path.stat().st_size for path in campaign.reference.rglob('*') if path.is_file()) // 1024
    for part in (0.3, 0.4, 0.5, 0.75, 0.9):  # less does not hold a checkpoint, and is refused
        campaign.add('full disk', file_system.fill_disk(int(size * part)))
    for subfolder in ('.', 'checkpoints', 'logs', 'debug', 'outputs'):
        campaign.add('read-only folder', file_system.make_read_only(base, subfolder))


Row = dict[str, int | float]


def rows_by_fault(cases: Sequence[FaultCase]) -> dict[str, Row]:
    """Returns the numbers of each kind of fault."""
    cases_by_name: dict[str, list[FaultCase]] = {}
    for case in cases:
        cases_by_name.setdefault(case.name, []).append(case)
    return {name: _row(cases) for name, cases in cases_by_name.items()}


def _row(cases: Sequence[FaultCase]) -> Row:
    return {
        'runs': len(cases),
        'faults': sum(case.faults for case in cases),
        'differing': sum(len(case.differing) for case in cases),
        'tracebacks': sum(len(case.tracebacks) for case in cases),
        'hangs': sum(case.hangs for case in cases),
        'broken': sum(len(case.broken) for case in cases),
        'slowest_stop': round(
            max((seconds for case in cases for seconds in case.stop_seconds), default=0.0), 2
        ),
    }


def holds(row: Row) -> bool:
    """Whether all promises were kept."""
    failures = ('differing', 'tracebacks', 'hangs', 'broken')
    return not any(row[failure] for failure in failures) and row['slowest_stop'] < MAX_STOP_SECONDS


HEADINGS = {
    'runs': 'runs',
    'faults': 'faults',
    'differing': 'differing files',
    'tracebacks': 'tracebacks',
    'hangs': 'hangs',
    'broken': 'other broken promises',
    'slowest_stop': 'slowest stop, seconds',
}


def print_table(rows: dict[str, Row], skipped: dict[str, str]) -> None:
    """Prints the table as Markdown."""
    print('| fault | ' + ' | '.join(HEADINGS.values()) + ' |\n|---|' + '---:|' * len(HEADINGS))
    for name, row in rows.items():
        print(f'| {name} | ' + ' | '.join(f'{row[key]:g}' for key in HEADINGS) + ' |')
    for name, reason in skipped.items():
        print(f'| {name} | skipped: {reason} |')


def main() -> int:
    """Runs the campaign; returns the exit code."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser('scripts/torture.sh', description=__doc__, formatter_class=raw)
    parser.add_argument(
        '--seed', type=int, default=random.randrange(10**6), help='seed of all random choices'
    )
    parser.add_argument('--kills', type=int, default=60, help='number of SIGKILLs at random times')
    parser.add_argument('--terms', type=int, default=20, help='number of SIGTERMs at random times')
    parser.add_argument('--only', default='', metavar='PATTERN', help='causes only faults whose names match')
    parser.add_argument('--folder', type=Path, help='keeps results here; the same command continues')
    parser.add_argument('--minutes', type=float, default=math.inf, help='causes no further fault after these')
    arguments = parser.parse_args()
    start = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = arguments.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        os.environ['WORKSPACE'] = str(folder.resolve() / 'workspace')
        seed = _kept_seed(folder, arguments.seed)
        print(f'seed {seed}', *draw_bindings(seed), flush=True)
        campaign = Campaign(folder.resolve(), seed, draw_bindings(seed))
        add_all(campaign, campaign.prepare(), arguments.kills, arguments.terms)
        cases = campaign.run(arguments.only, arguments.minutes)
        missing = campaign.missing(arguments.only, cases)
    rows = rows_by_fault(cases)
    print_table(rows, campaign.skipped)
    is_kept = all(map(holds, rows.values()))
    minutes = round((time.monotonic() - start) / 60, 1)
    summary = {'benchmark': 'torture', 'seed': seed, 'minutes': minutes, 'kept': is_kept, 'missing': missing}
    print(json.dumps(summary | {'rows': rows, 'skipped': campaign.skipped}))
    if not is_kept:
        return EXIT_FAILED
    return EXIT_INTERRUPTED if missing else EXIT_FINISHED


def _kept_seed(folder: Path, seed: int) -> int:
    """Returns the seed of the campaign that a folder holds; keeps `seed` if it holds none."""
    file = folder / 'seed.txt'
    if not file.exists():
        file.write_text(str(seed))
    return int(file.read_text())


if __name__ == '__main__':
    sys.exit(main())
