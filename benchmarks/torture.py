"""The fault campaign: each run meets faults, resumes, and must end equal to an undisturbed run, to the bit.

    scripts/torture.sh                                   all faults
    scripts/torture.sh --seed=7 --kills=10 --terms=5     fewer random signals

The campaign trains one undisturbed run, the reference. All other runs meet faults. The same command resumes
them until they finish. Then their logs, checkpoints and outputs are compared with those of the reference. The
exit code is 1 if any promise was broken.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.faults import damage, file_system, other, signals
from benchmarks.faults.case import EXIT_KILLED, Fault, FaultCase
from benchmarks.faults.training_process import TrainingStarter, differences
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
        self.starter, self.reference = TrainingStarter(folder, bindings), folder / 'reference'
        self.skipped: dict[str, str] = {}
        self._faults: list[tuple[str, Fault]] = []

    def prepare(self) -> float:
        """Trains the reference; returns the seconds that it took.

        An equal run is trained first: it fills the compilation cache, and two undisturbed runs must be equal.
        """
        twin = self._folder / 'twin'
        first, second = self.starter.train(twin), self.starter.train(self.reference)
        if first.code or second.code or differences(twin, self.reference):
            raise RuntimeError(f'two undisturbed runs differ: {first.text}{second.text}')
        return second.seconds

    def train_until(self, name: str, point: str) -> Path:
        """Trains a run that is killed at a named point; returns its folder, whose copies can be damaged."""
        result = self.starter.train(self._folder / name, fault=point)
        if result.code != EXIT_KILLED:
            raise RuntimeError(f'the training never passed the point {point}: {result.text}')
        return self._folder / name

    def add(self, name: str, fault: Fault, runs: int = 1) -> None:
        """Adds a fault that happens to some runs. Faults of one name share a row of the table."""
        self._faults += [(name, fault)] * runs

    def run(self) -> list[FaultCase]:
        """Causes all faults; returns one case for each run."""
        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(self._cause, range(len(self._faults)), self._faults))

    def _cause(self, number: int, named_fault: tuple[str, Fault]) -> FaultCase:
        name, fault = named_fault
        case = FaultCase(name, self.starter, self.reference, self._folder / f'{number:03}')
        fault(case, random.Random(f'{self._seed} {number}'))
        for problem in [*case.broken, *case.differing, *case.tracebacks]:
            print(f'{name}: {problem}', flush=True)
        shutil.rmtree(case.run, ignore_errors=True)
        return case


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
    for point in [*POINTS, *(f'{point}@2' for point in REPEATED_POINTS)]:
        campaign.add('SIGKILL at each named point', signals.kill_at(point))
    for point in POINTS:
        campaign.add('SIGTERM at each named point', signals.stop_at(point))
    campaign.add('SIGTERM at a random time', signals.stop_at_random(seconds, signal.SIGTERM), terms)
    campaign.add('SIGINT at a random time', signals.stop_at_random(seconds, signal.SIGINT), 5)
    twice = signals.stop_at_random(seconds, signal.SIGTERM, signal.SIGTERM)
    campaign.add('SIGTERM twice', twice, 5)
    midway, late = campaign.train_until('midway', 'step@50'), campaign.train_until('late', 'finish')
    add_damages(campaign, late)
    add_damages(campaign, midway, MIDWAY_FILES)
    add_damages(campaign, campaign.reference, RESULT_FILES)
    add_file_systems(campaign, midway)
    campaign.add('second training of a run', other.second_training(signal.SIGCONT))
    campaign.add('second training of a run, then first killed', other.second_training(signal.SIGKILL))
    campaign.add('training on another machine', other.training_elsewhere(midway))
    campaign.add('clock set back', other.set_clock_back(midway))
    campaign.add('NaN loss', other.nan_loss)


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
    for part in (0.1, 0.25, 0.5, 0.75, 0.9):
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
    arguments = parser.parse_args()
    print(f'seed {arguments.seed}', flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ['WORKSPACE'] = f'{folder}/workspace'
        campaign = Campaign(Path(folder), arguments.seed)
        add_all(campaign, campaign.prepare(), arguments.kills, arguments.terms)
        rows = rows_by_fault(campaign.run())
    print_table(rows, campaign.skipped)
    is_kept = all(map(holds, rows.values()))
    minutes = round((time.monotonic() - start) / 60, 1)
    summary = {'benchmark': 'torture', 'seed': arguments.seed, 'minutes': minutes, 'kept': is_kept}
    print(json.dumps(summary | {'rows': rows, 'skipped': campaign.skipped}))
    return 0 if is_kept else 1


if __name__ == '__main__':
    sys.exit(main())
