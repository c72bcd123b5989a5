"""The time from the command to the end of the first training step: `scripts/train.sh` and a bare script.

    scripts/benchmark.sh startup
    scripts/benchmark.sh startup --pairs=30

Before the measurement, everything is installed and compiled. The runs alternate. The result is the median of
the ratios of pairs of runs. The bare script (`benchmarks/bare.py`) imports the packages that training
imports. A second row compares with the script that imports only what it uses itself.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.report import Bound, pair_ratios, print_bounds, print_table
from engine.workspace import REPOSITORY

PAIRS = 15
MOST = 1.2  # times as long as the bare script

os.environ.pop('PYTHONDONTWRITEBYTECODE', None)  # all load compiled modules, as a user's commands do


def bare(*arguments: str) -> float:
    """Returns the seconds from the start of the bare script to the end of its first step."""
    start = time.monotonic()
    with subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.bare', *arguments],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        if not process.stdout.readline():
            raise RuntimeError('the bare script ended before its first step')
        return time.monotonic() - start


def template(config: str = 'digits_cnn') -> float:
    """Returns the seconds from the start of `scripts/train.sh` to the first line of its log of steps."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / 'run' / 'logs' / 'train.jsonl'
        start = time.monotonic()
        command = [
            str(REPOSITORY / 'scripts/train.sh'),
            f'--gin_file={REPOSITORY}/configs/{config}.gin',
            f'--run={log.parents[1]}',
            '--gin_bindings=STEPS = 1',
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while not (log.exists() and log.stat().st_size):
                if process.poll():
                    raise RuntimeError(f'{command} ended with {process.returncode}')
                time.sleep(0.002)
            seconds = time.monotonic() - start
    return seconds


SIDES: dict[str, Callable[[], float]] = {
    'bare script': bare,
    'bare script, alone': partial(bare, '--alone'),
    'template': template,
}


def measure(pairs: int) -> dict[str, list[float]]:
    """Returns the seconds of each side, run in turn, forwards and backwards, after runs that fill caches."""
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    template()  # builds the data that the others need
    for pair in range(-1, pairs):
        for name in reversed(SIDES) if pair % 2 else SIDES:
            seconds[name].append(SIDES[name]())
    return {name: numbers[1:] for name, numbers in seconds.items()}


def main() -> None:
    """Measures all sides in turn and reports."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--pairs', type=int, default=PAIRS, help=f'runs of each side ({PAIRS})')
    seconds = measure(parser.parse_args().pairs)
    summary = print_table('startup', 'seconds', seconds)
    ratio = pair_ratios(seconds['template'], seconds['bare script'])
    alone = pair_ratios(seconds['template'], seconds['bare script, alone'])
    print(f'  time to the first step, bare script = 1                  {ratio}')
    print(f'  the same, a script that imports only what it uses = 1    {alone}\n')
    bounds = print_bounds({'time to the first step, bare script = 1': Bound.of(ratio, at_most=MOST)})
    details = {'ratio': asdict(ratio), 'alone': asdict(alone)}
    print(json.dumps({'benchmark': 'startup'} | summary | details | {'bounds': bounds}))


if __name__ == '__main__':
    main()
