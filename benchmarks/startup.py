"""From the command to the first training step: `scripts/train.sh` against a bare script.

    scripts/benchmark.sh startup

Both have everything installed and compiled. Runs alternate; the ratio is that of the medians.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import report
from engine.workspace import REPOSITORY

os.environ.pop('PYTHONDONTWRITEBYTECODE', None)  # both start as a user's do: compiled
RUNS = 7


def bare() -> float:
    """Returns the seconds from the start of the bare script to the end of its first step."""
    start = time.monotonic()
    with subprocess.Popen(
        [sys.executable, '-m', 'benchmarks.bare'], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        if not process.stdout.readline():
            raise RuntimeError('the bare script ended before its first step')
        return time.monotonic() - start


def template() -> float:
    """Returns the seconds from the start of `scripts/train.sh` to its first step's line in the log."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / 'run' / 'logs' / 'train.jsonl'
        start = time.monotonic()
        command = [
            str(REPOSITORY / 'scripts/train.sh'),
            f'--gin_file={REPOSITORY}/configs/digits_cnn.gin',
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


def main() -> None:
    """Measures, alternating, and reports."""
    for each in (template, bare):  # what is built, compiled and cached once; the data by the template
        each()
    seconds = [(bare(), template()) for _ in range(RUNS)]
    report(
        'startup', 'seconds', {'bare script': [a for a, _ in seconds], 'template': [b for _, b in seconds]}
    )


if __name__ == '__main__':
    main()
