"""Checks on the device that a run is exact, and that its programs agree.

    python -m benchmarks.accelerator.exactness [--small]

Two runs train the same config with `deterministic`. One is never interrupted. The other is killed in the
middle and resumed. Each has a workspace of its own, so they share no compiled programs. Then their logs,
checkpoints and outputs are compared to the bit. `scripts/verify.sh` repeats steps of the second one, and its
best checkpoint predicts on the CPU. Finally, jit and PMap train in turn.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.accelerator import times
from benchmarks.accelerator.figures import figure
from benchmarks.faults.training_process import differences
from engine import outputs
from engine.errors import EXIT_FINISHED
from engine.runs import json_lines
from engine.workspace import REPOSITORY

CONFIG = REPOSITORY / 'configs' / 'digits_cnn.gin'
EXIT_KILLED = -9
SEPARATE = ('whole', 'killed')  # runs with a workspace of their own
COMPARED_STEPS = 10  # of jit and PMap: rounding grows with each step


class Runs:
    """Runs of the digits CNN in a folder.

    Args:
      folder: for the runs and their workspaces.
      is_small: whether they are short, for a CPU.
    """

    def __init__(self, folder: Path, is_small: bool):
        self._folder, self.steps = folder, 80 if is_small else 3000
        self._bindings = [
            f'STEPS = {self.steps}',
            f'trainer.Trainer.evaluate_every = {self.steps // 4}',
            f'trainer.Trainer.save_every = {self.steps // 5}',
            *(['BATCH_SIZE = 32', 'convnet.ConvNet.width = 8'] if is_small else []),
        ]

    def path(self, name: str) -> Path:
        """Returns the folder of a run."""
        return self._folder / name / 'run'

    def train(self, name: str, *bindings: str, fault: str = '') -> int:
        """Starts a run, or resumes it; returns the exit code.

        Args:
          name: of the run.
          bindings: further ones.
          fault: the point at which the process kills itself.
        """
        command = ['train', f'--gin_file={CONFIG}', f'--run={self.path(name)}']
        command += [f'--gin_bindings={binding}' for binding in (*self._bindings, *bindings)]
        return self.call(name, command, {'FAULT': fault})

    def call(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        """Runs a program of the template on a run; returns the exit code."""
        workspace = self._folder / ('others' if name not in SEPARATE else name) / 'workspace'
        # Several processes share the device: none may take most of its memory.
        variables = {'WORKSPACE': str(workspace), 'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'}
        return subprocess.run(
            [sys.executable, '-m', f'engine.commands.{command[0]}', *command[1:]],
            cwd=REPOSITORY,
            env={**os.environ, **variables, **(environment or {})},
            stdin=subprocess.DEVNULL,
            check=False,
        ).returncode


def check_resume(runs: Runs) -> None:
    """Trains one run without and one with a kill, and compares them."""
    deterministic = 'trainer.Trainer.deterministic = True'

    def interrupted() -> tuple[int, float]:
        code = runs.train('killed', deterministic, fault=f'step@{runs.steps // 2 + 7}')
        figure('killed', code == EXIT_KILLED)
        start = time.monotonic()
        return runs.train('killed', deterministic), time.monotonic() - start

    with ThreadPoolExecutor() as pool:
        whole = pool.submit(runs.train, 'whole', deterministic)
        code, seconds = pool.submit(interrupted).result()
        finished = (whole.result(), code) == (EXIT_FINISHED, EXIT_FINISHED)
    figure('finished', finished)
    figure('resume_seconds', round(seconds, 1))
    if finished:
        figure('differing_files', differences(runs.path('whole'), runs.path('killed')))


def check_verify(runs: Runs) -> None:
    """Repeats steps and predictions of the resumed run."""
    figure(
        'verified', runs.call('killed', ['verify', str(runs.path('killed')), '--outputs']) == EXIT_FINISHED
    )


def check_cpu(runs: Runs) -> None:
    """Predicts from the checkpoint of the device on the CPU, and compares the logits."""
    copy = runs.path('restored')
    shutil.copytree(runs.path('killed'), copy)
    command = ['predict', str(copy), '--split=test', '--overwrite', '--accept_changes']
    code = runs.call('restored', command, {'JAX_PLATFORMS': 'cpu'})
    figure('restored_on_cpu', code == EXIT_FINISHED)
    if code == EXIT_FINISHED:
        ours, theirs = (
            outputs.read(run / 'outputs' / 'test').arrays['logits'] for run in (copy, runs.path('killed'))
        )
        figure('cpu_largest_difference', float(np.abs(ours - theirs).max()))
        figure('cpu_same_class', float((ours.argmax(-1) == theirs.argmax(-1)).mean()))


def compare_parallelism(runs: Runs) -> None:
    """Trains with jit, PMap and jit again, without Dropout, which draws other masks on each device."""
    plain = ('convnet.ConvNet.dropout = 0.0', 'trainer.Trainer.predict = ()')
    pmap = 'trainer.Trainer.parallelism = @sharding.PMap()'
    codes = [runs.train('jit', *plain), runs.train('pmap', *plain, pmap), runs.train('jit2', *plain)]
    if any(codes):
        raise RuntimeError(f'the trainings ended with {codes}')
    losses = [_losses(runs.path(name))[:COMPARED_STEPS] for name in ('jit', 'pmap')]
    figure('pmap_largest_relative_difference', float(np.abs(losses[1] / losses[0] - 1).max()))
    seconds = {name: median(_step_seconds(runs.path(name))) for name in ('jit', 'pmap', 'jit2')}
    figure('pmap_time_ratio', round(2 * seconds['pmap'] / (seconds['jit'] + seconds['jit2']), 3))


def _losses(run: Path) -> np.ndarray:
    return np.array([line['loss'] for line in json_lines.read(run / 'logs' / 'train.jsonl')])


def _step_seconds(run: Path) -> list[float]:
    return times.step_seconds(times.read(run))[0]


def passes(check: Callable[[Runs], None], runs: Runs) -> bool:
    """Whether a check has run to its end. One that fails does not keep the next from running."""
    try:
        check(runs)
    except Exception:
        traceback.print_exc()
        return False
    return True


def main() -> None:
    """Runs all checks."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--small', action='store_true')
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as pool:
        runs = Runs(Path(folder), parser.parse_args().small)
        passed = [passes(check_resume, runs)]
        passed += pool.map(passes, (check_verify, check_cpu), (runs, runs))
        passed.append(passes(compare_parallelism, runs))
    sys.exit(not all(passed))


if __name__ == '__main__':
    main()
