"""Strict by default: no silent promotion of ranks, two simulated devices, a workspace of the tests' own."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import pytest

from engine.workspace import REPOSITORY

# A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start too.
signal.signal(signal.SIGINT, signal.default_int_handler)
jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_numpy_rank_promotion', 'raise')

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope='session', autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that all tests share, so that a dataset is built once."""
    folder = tmp_path_factory.mktemp('workspace')
    os.environ['WORKSPACE'] = str(folder)
    return folder


@pytest.fixture
def program(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """Runs a program in this process: program('train', '--resume=latest') -> (exit code, stdout, stderr)."""
    import importlib

    from engine.commands import command_line

    def run(name: str, *arguments: str) -> tuple[int, str, str]:
        module = importlib.import_module(f'engine.commands.{name}')
        monkeypatch.setattr(sys, 'argv', [name, *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.run(module.main, module.parser())
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return run


CONFIG = """
include '{repository}/configs/base.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from research.models import mlp
from engine.parts import classification
import optax

STEPS = 14
BATCH_SIZE = 8
RATE = 0.03

trainer.Trainer:
  dataset = 'digits/toy'
  task = @classification.Classification()
  save_every = 5

classification.Classification:
  model = @mlp.MLP
  optimizer = @optax.adamw
  learning_rate = %RATE

mlp.MLP.width = 16
mlp.MLP.dropout = 0.1
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small config that trains, lines added or replaced: config_file('A = 1', STEPS='STEPS = 3')."""
    if not (REPOSITORY / 'scripts/examples.txt').exists():
        pytest.skip('needs the examples, which this project dropped')

    def write(*lines: str, **replaced: str) -> Path:
        text = CONFIG.format(repository=REPOSITORY)
        for start, new in replaced.items():
            old = next(line for line in text.splitlines() if line.strip().startswith(f'{start} ='))
            text = text.replace(old, new)
        path = tmp_path / 'small.gin'
        path.write_text('\n'.join([text, *lines, '']))
        return path

    return write
