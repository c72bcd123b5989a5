"""Trains ResNet-18 on CIFAR-10 by a config, and reports its accuracy and the seconds.

    python -m benchmarks.accelerator.train_cifar10 --cifar10=<archive> [--small]

The accuracy is that of `scripts/eval.sh` on the test split. `training_seconds` is the time of the loop, with
its evaluations and checkpoints. `command_seconds` also counts start-up, reading the images, compilation and
the predictions.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.accelerator import times
from benchmarks.accelerator.figures import figure
from benchmarks.accelerator.settings import FOLDER
from engine.workspace import REPOSITORY

SMALL = (
    *('LIMIT = 20', 'STEPS = 8', 'BATCH_SIZE = 8', 'optax.warmup_cosine_decay_schedule.warmup_steps = 2'),
    *('trainer.Trainer.evaluate_every = 4', 'trainer.Trainer.save_every = 4'),
)


def program(name: str, *arguments: str) -> None:
    """Runs a program of the template, and ends if it fails."""
    command = [sys.executable, '-m', f'engine.commands.{name}', *arguments]
    if code := subprocess.run(command, cwd=REPOSITORY, check=False).returncode:
        sys.exit(f'engine.commands.{name} ended with {code}')


def main() -> None:
    """Trains, evaluates and reports."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cifar10', required=True)
    parser.add_argument('--small', action='store_true')
    arguments = parser.parse_args()
    bindings = [f'ARCHIVE = {str(Path(arguments.cifar10).resolve())!r}', *(SMALL if arguments.small else ())]
    with tempfile.TemporaryDirectory() as folder:
        run, start = Path(folder) / 'run', time.monotonic()
        flags = [f'--gin_bindings={binding}' for binding in bindings]
        program('train', f'--gin_file={FOLDER / "cifar10.gin"}', f'--run={run}', *flags)
        figure('command_seconds', round(time.monotonic() - start, 1))
        lines = times.read(run)
        figure('training_seconds', round(sum(line['seconds']['total'] for line in lines), 1))
        figure('images_per_second', [line['examples_per_second'] for line in lines])
        program('evaluate', str(run / 'outputs' / 'test'))
        metrics = json.loads((run / 'outputs' / 'test' / 'evaluation' / 'metrics.json').read_text())
        figure('accuracy', metrics['metrics']['accuracy'])


if __name__ == '__main__':
    main()
