"""The fault campaign: trainings are killed, signalled, damaged, starved, and must end equal to the bit.

    scripts/torture.sh                                   the whole of it
    scripts/torture.sh --seed=7 --kills=10 --terms=5     a shorter one

One training is left alone. Every other one meets faults, is gone on with by the same command until it has
finished, and is then compared with the first: logs, checkpoints, predictions. Exit code 1 if a promise broke.
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

from benchmarks import faults
from benchmarks.faults import KILLED, Case, Fault
from benchmarks.trainings import Laboratory, differing
from engine.runs.faults import POINTS

STOPS = 5.0  # seconds that a training has to end after a signal
# Points that a run passes more than once.
TWICE = ('compile', 'step', 'evaluation', 'log', 'save', 'checksums', 'checksums_written', 'outputs')
# Of a run that was stopped midway these are damaged too: what going on from there depends on.
MIDWAY = re.compile(r'status\.json|logs/(train|val)|latest/<step>/(checksums\.json|default/d/)')
# Of a finished run these are: what is worth having of it.
FINISHED = re.compile(r'logs/(train|val)|(latest|best)/<step>/default/d/|outputs/<split>/(logits|manifest)')


class Campaign:
    """Faults, and the folder in which they happen.

    Args:
      folder: for all runs.
      seed: of all that is random.
      bindings: that the config of the runs does not have.
      workers: trainings at a time.

    Attributes:
      laboratory: where the runs run.
      reference: the run that nothing happens to.
      skipped: why a row of the table is missing, by its name.
    """

    def __init__(self, folder: Path, seed: int, bindings: Sequence[str] = (), workers: int = 2):
        self._folder, self._seed, self._workers = folder, seed, workers
        self.laboratory, self.reference = Laboratory(folder, bindings), folder / 'reference'
        self.skipped: dict[str, str] = {}
        self._faults: list[tuple[str, Fault]] = []

    def prepare(self) -> float:
        """Trains the reference, twice, for the first compiles; returns the seconds of the second."""
        twin = self._folder / 'twin'
        first, second = self.laboratory.train(twin), self.laboratory.train(self.reference)
        if first.code or second.code or differing(twin, self.reference):
            raise RuntimeError(f'two fresh runs are not equal: {first.text}{second.text}')
        return second.seconds

    def unfinished(self, name: str, point: str) -> Path:
        """Returns a run that was killed at a point, to be damaged in copies."""
        ended = self.laboratory.train(self._folder / name, fault=point)
        if ended.code != KILLED:
            raise RuntimeError(f'{point} is never passed: {ended.text}')
        return self._folder / name

    def add(self, row: str, fault: Fault, times: int = 1) -> None:
        """Adds a fault, to happen to so many runs; `row` is its place in the table."""
        self._faults += [(row, fault)] * times

    def run(self) -> list[Case]:
        """Makes all faults happen; returns what came of each."""
        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(self._happen, range(len(self._faults)), self._faults))

    def _happen(self, number: int, named: tuple[str, Fault]) -> Case:
        row, fault = named
        case = Case(row, self.laboratory, self.reference, self._folder / f'{number:03}')
        fault(case, random.Random(f'{self._seed} {number}'))
        for complaint in [*case.broken, *case.differing, *case.tracebacks]:
            print(f'{row}: {complaint}', flush=True)
        shutil.rmtree(case.run, ignore_errors=True)
        return case


def add_all(campaign: Campaign, seconds: float, kills: int, terms: int) -> None:
    """Adds every fault to a campaign whose undisturbed runs take `seconds`."""
    for start in range(0, kills, 5):
        campaign.add('SIGKILL at random', faults.killed_at_random(min(5, kills - start), seconds))
    for point in [*POINTS, *(f'{point}@2' for point in TWICE)]:
        campaign.add('SIGKILL at each point', faults.killed_at(point))
    for point in POINTS:
        campaign.add('SIGTERM at each point', faults.stopped_at(point))
    campaign.add('SIGTERM at random', faults.stopped_at_random(seconds, signal.SIGTERM), terms)
    campaign.add('SIGINT at random', faults.stopped_at_random(seconds, signal.SIGINT), 5)
    twice = faults.stopped_at_random(seconds, signal.SIGTERM, signal.SIGTERM)
    campaign.add('SIGTERM, and another one', twice, 5)
    midway, late = campaign.unfinished('midway', 'step@50'), campaign.unfinished('late', 'finish')
    add_damages(campaign, late)
    add_damages(campaign, midway, MIDWAY)
    add_damages(campaign, campaign.reference, FINISHED)
    add_file_systems(campaign, midway)
    campaign.add('two at once', faults.two_at_once(signal.SIGCONT))
    campaign.add('two at once, first killed', faults.two_at_once(signal.SIGKILL))
    campaign.add('at work elsewhere', faults.elsewhere(midway))
    campaign.add('clock set back', faults.clock_set_back(midway))
    campaign.add('NaN batch', faults.not_a_number)


def add_damages(campaign: Campaign, base: Path, kinds: re.Pattern[str] = re.compile('')) -> None:
    """Adds each damage to each kind of file of an unfinished run."""
    for kind, names in faults.kinds_of_files(base).items():
        place = re.match(r'checkpoints/\w+|\w+(?=/)|config\.gin|status\.json|', kind)
        row = f'damage: {place[0] if place and place[0] else "other files"}'
        row = 'damage: a finished run' if base == campaign.reference else row
        for damage in faults.DAMAGES if kinds.search(kind) else ():
            campaign.add(row, faults.damaged(base, names, damage))


def add_file_systems(campaign: Campaign, base: Path) -> None:
    """Adds full disks and folders that cannot be written, where mounting is allowed."""
    if not faults.may_mount():
        reason = 'mounting is not allowed here: run it as root'
        campaign.skipped |= {'full disk': reason, 'read-only folder': reason}
        return
    whole = sum(path.stat().st_size for path in campaign.reference.rglob('*') if path.is_file()) // 1024
    for part in (0.1, 0.25, 0.5, 0.75, 0.9):
        campaign.add('full disk', faults.full_disk(int(whole * part)))
    for part in ('.', 'checkpoints', 'logs', 'debug', 'outputs'):
        campaign.add('read-only folder', faults.read_only(base, part))


# The table

Row = dict[str, int | float]


def table(cases: Sequence[Case]) -> dict[str, Row]:
    """Returns the figures of each kind of fault."""
    rows: dict[str, list[Case]] = {}
    for case in cases:
        rows.setdefault(case.fault, []).append(case)
    return {name: _row(each) for name, each in rows.items()}


def _row(cases: Sequence[Case]) -> Row:
    return {
        'runs': len(cases),
        'faults': sum(case.times for case in cases),
        'differing': sum(len(case.differing) for case in cases),
        'tracebacks': sum(len(case.tracebacks) for case in cases),
        'hangs': sum(case.hangs for case in cases),
        'broken': sum(len(case.broken) for case in cases),
        'slowest_stop': round(max((stop for case in cases for stop in case.stops), default=0.0), 2),
    }


def held(row: Row) -> bool:
    """Whether all promises were kept."""
    failures = ('differing', 'tracebacks', 'hangs', 'broken')
    return not any(row[each] for each in failures) and row['slowest_stop'] < STOPS


HEADINGS = {
    'runs': 'runs',
    'faults': 'faults',
    'differing': 'bits lost',
    'tracebacks': 'tracebacks',
    'hangs': 'hangs',
    'broken': 'other promises broken',
    'slowest_stop': 'slowest stop, seconds',
}


def show(rows: dict[str, Row], skipped: dict[str, str]) -> None:
    """Prints the table, as Markdown."""
    print('| fault | ' + ' | '.join(HEADINGS.values()) + ' |\n' + '|---' * (len(HEADINGS) + 1) + '|')
    for name, row in rows.items():
        print(f'| {name} | ' + ' | '.join(f'{row[each]:g}' for each in HEADINGS) + ' |')
    for name, reason in skipped.items():
        print(f'| {name} | skipped: {reason} |')


def main() -> int:
    """Runs the campaign; returns the exit code."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser('scripts/torture.sh', description=__doc__, formatter_class=raw)
    parser.add_argument('--seed', type=int, default=random.randrange(10**6), help='of all that is random')
    parser.add_argument('--kills', type=int, default=60, help='SIGKILLs at random times')
    parser.add_argument('--terms', type=int, default=20, help='SIGTERMs at random times')
    arguments = parser.parse_args()
    print(f'seed {arguments.seed}', flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ['WORKSPACE'] = f'{folder}/workspace'
        campaign = Campaign(Path(folder), arguments.seed)
        add_all(campaign, campaign.prepare(), arguments.kills, arguments.terms)
        rows = table(campaign.run())
    show(rows, campaign.skipped)
    kept = all(map(held, rows.values()))
    minutes = round((time.monotonic() - start) / 60, 1)
    figures = {'benchmark': 'torture', 'seed': arguments.seed, 'minutes': minutes, 'kept': kept}
    print(json.dumps(figures | {'rows': rows, 'skipped': campaign.skipped}))
    return 0 if kept else 1


if __name__ == '__main__':
    sys.exit(main())
