"""The time from the command to the end of the first training step: `scripts/train.sh` and a bare script.

    scripts/benchmark.sh startup

Before the measurement, everything is installed and compiled. The runs of the two alternate. The ratio is that
of their medians.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import report
from engine.workspace import REPOSITORY

os.environ.pop('PYTHONDONTWRITEBYTECODE', None)  # both load compiled modules, as a user's commands do
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
    """Returns the seconds from the start of `scripts/train.sh` to the first line of its log of steps."""
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
    """Measures both in turn and reports."""
    # The first runs fill the caches. `template` builds the data that `bare` needs.
    template()
    bare()
    seconds = [(bare(), template()) for _ in range(RUNS)]
    bare_seconds, template_seconds = (list(column) for column in zip(*seconds, strict=True))
    report('startup', 'seconds', {'bare script': bare_seconds, 'template': template_seconds})


if __name__ == '__main__':
    main()
