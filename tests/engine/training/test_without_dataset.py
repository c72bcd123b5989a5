"""Training without a dataset: batches, logs, resuming, prediction, and what has to be bound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import outputs
from engine.config.config import Config
from engine.errors import UserError
from engine.files import read_json
from engine.runs import json_lines
from engine.training.logs.metric_logger import MetricLogger
from engine.training.trainer import Trainer
from engine.workspace import REPOSITORY
from tests.engine.training.equal_runs import assert_equal_files, assert_equal_states, predictions, stop_after

CONFIG = f"""
include '{REPOSITORY}/configs/base.gin'
from __gin__ import dynamic_registration
from engine.training import trainer
from tests.engine.training import self_made
import optax

STEPS = 12
BATCH_SIZE = 8

trainer.Trainer:
  dataset = None
  samples = 20
  task = @self_made.SelfMade()
  evaluate_every = 4
  save_every = 5

self_made.SelfMade:
  model = @self_made.Wave
  optimizer = @optax.adam
  learning_rate = 0.03
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('without') / 'without.gin'
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope='module')
def whole(config: Path) -> Path:
    from tests.conftest import run_program

    assert run_program('train', f'--gin_file={config}', f'--run={config.parent / "whole"}') == 0
    return config.parent / 'whole'


def test_the_logs_have_no_epochs_and_the_outputs_all_samples(whole: Path) -> None:
    train, val = (json_lines.read(whole / 'logs' / f'{name}.jsonl') for name in ('train', 'val'))
    assert [line['step'] for line in val] == [4, 8, 12]
    assert {line['epoch'] for line in (*train, *val)} == {0.0}
    assert len({line['loss'] for line in train}) == 12
    assert val[-1]['loss'] < train[0]['loss']
    for split, first in {'val': 0, 'test': 20}.items():
        found = outputs.read(whole / 'outputs' / split)
        assert found.manifest.dataset == 'none'
        assert list(found.ids) == [f'{first + row:08d}' for row in range(20)]
        np.testing.assert_array_equal(found.arrays['index'], np.arange(first, first + 20))
    assert not (whole / 'dataset.md').exists()
    assert read_json(whole / 'environment.json')['dataset']['name'] == 'none'


def test_a_run_that_stops_resumes_to_the_bit(
    config: Path, whole: Path, tmp_path: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ('train', f'--gin_file={config}', f'--run={tmp_path / "run"}')
    with monkeypatch.context() as patch:
        patch.setattr(MetricLogger, 'log_steps', stop_after(7))
        assert program(*arguments)[0] != 0
    assert program(*arguments)[0] == 0
    files = ['logs/train.jsonl', 'logs/val.jsonl', *predictions(whole)]
    assert_equal_files(whole, tmp_path / 'run', files)
    assert_equal_states(whole, tmp_path / 'run')


def test_other_programs_know_such_a_run(whole: Path, program: Any, tmp_path: Path) -> None:
    code, out, err = program('verify', str(whole), '--outputs')
    assert code == 0, out + err
    assert 'equal: the outputs test and val' in out
    code, out, err = program('predict', str(whole), '--split=val', '--overwrite')
    assert code == 0, err
    code, out, err = program('evaluate', str(whole / 'outputs/test'))
    assert code == 0, err
    code, out, err = program('logs', str(whole))
    assert code == 0, err


@pytest.mark.slow
def test_a_dry_run_and_the_checks(config: Path, program: Any, tmp_path: Path) -> None:
    code, out, err = program('train', f'--gin_file={config}', '--dry_run')
    assert code == 0, err
    code, out, err = program('check', f'--gin_file={config}', f'--output={tmp_path}/checks')
    assert 'could not run' not in out
    assert code == 0, out + err


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (['samples = None'], 'bind `trainer.Trainer.samples`'),
        (['samples = 0'], 'Trainer.samples = 0: it must be at least 1'),
        (['evaluate_every = None'], 'bind `trainer.Trainer.evaluate_every`'),
        (['order = @orders.Sequential()'], 'Trainer.order: Sequential orders examples'),
        (['decode = @crops.Crops()'], 'Trainer.decode: Crops decodes images of a dataset'),
    ],
)
def test_what_has_to_be_bound_is_said(config: Path, lines: list[str], message: str) -> None:
    changes = [f'trainer.Trainer.{line}'.replace('@', '@engine.parts.') for line in lines]
    with pytest.raises(UserError) as mistake:
        Config([config], changes).build(Trainer).check()
    assert message in str(mistake.value)


def test_samples_need_a_kind_without_pairs(config_file: Callable[..., Path]) -> None:
    path = config_file('trainer.Trainer.samples = 7')
    with pytest.raises(UserError, match=r'Trainer\.samples = 7'):
        Config([path]).build(Trainer).check()
