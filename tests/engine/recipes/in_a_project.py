"""What a user does with a recipe in a project: pytest runs this file in a project without examples.

Each config that the variable RECIPES names is trained by the command in its header, killed and resumed, and
its predictions are evaluated. By default it takes three steps on toy data. With the variable WHOLE, it trains
as it says.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import errors
from engine.config.config import Config
from engine.runs import json_lines
from engine.training import trainer
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY
from tests.engine.training.equal_runs import (
    LOGS,
    assert_equal_files,
    assert_equal_states,
    predictions,
    stop_after,
)
from tests.test_configs import named, toy_bindings, training_command

WHOLE = 'WHOLE' in os.environ
SHORT = ('trainer.Trainer.steps = 3', 'trainer.Trainer.batch_size = 8', 'trainer.Trainer.save_every = 1')
SMALL = {  # what makes a recipe fast, by the name of its config
    'diffusion': ('residual_net.ResidualNet.depth = 1', 'diffusion.Diffusion.levels = 5'),
}
SCRIPTS = {'train': 'train.sh', 'predict': 'predict.sh', 'evaluate': 'eval.sh'}
FEW_RESAMPLES = 'engine.evaluation.evaluator.Evaluator.resamples = 100'
CONFIGS = [REPOSITORY / path for path in os.environ['RECIPES'].split()]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def arguments(path: Path) -> list[str]:
    """Returns the arguments of the training that a config's header states."""
    if WHOLE:
        return training_command(path)
    bindings = [*SHORT, *SMALL.get(path.stem, ()), *toy_bindings([path], Config([path]).build(Trainer))]
    return [*training_command(path), *(f'--gin_bindings={binding}' for binding in bindings)]


def run_folder(path: Path, given: list[str]) -> Path:
    """Returns the folder of a training: that in its arguments, or one of its own."""
    flags = [argument for argument in given if argument.startswith('--run=')]
    return REPOSITORY / (flags[-1].removeprefix('--run=') if flags else f'workspace/runs/{path.stem}')


def succeed(program: Any, name: str, *given: str) -> None:
    """Runs a program, by its script if the recipes train as a whole, and asserts that it succeeds."""
    if WHOLE:
        code, output = script(name, given)
    else:
        code, *output = program(name, *given)
    assert code == 0, output


def script(name: str, given: Sequence[str], **environment: str) -> tuple[int, str]:
    """Runs the script of a program as a user does; returns its exit code and output."""
    command = [shutil.which('bash') or 'bash', f'scripts/{SCRIPTS[name]}', *given]
    python = {'ENV': 'existing', 'PYTHON': sys.executable}
    done = subprocess.run(
        command, env=os.environ | python | environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def kill_after(step: int, given: list[str], program: Any) -> None:
    """Trains and ends without saving after a step, by a real kill if the recipes train as a whole."""
    if WHOLE:
        code, output = script('train', given, FAULT=f'step@{step + 1}')
        assert code == -signal.SIGKILL, output
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', stop_after(step - 1))
        code, _, err = program('train', *given)
    assert code == errors.EXIT_INTERRUPTED, err


@pytest.mark.parametrize('path', CONFIGS, ids=named)
def test_a_recipe_trains_resumes_predicts_and_evaluates(path: Path, program: Any) -> None:
    given = arguments(path)
    run = run_folder(path, given)
    succeed(program, 'train', *given, f'--run={run}')
    steps = len(json_lines.read(run / 'logs/train.jsonl'))

    other = run.with_name(f'{run.name}-killed')
    kill_after(2 * steps // 3, [*given, f'--run={other}'], program)
    succeed(program, 'train', f'--run={other}')
    assert predictions(run) == predictions(other)
    assert_equal_files(run, other, [*LOGS, *predictions(run)])
    assert_equal_states(run, other)

    for outputs in sorted((run / 'outputs').glob('*' if WHOLE else 'test')):
        succeed(program, 'evaluate', str(outputs), f'--gin_bindings={FEW_RESAMPLES}')
    succeed(program, 'predict', str(run), '--split=train', '--checkpoint=latest')
