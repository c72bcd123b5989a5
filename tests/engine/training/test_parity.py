"""Saved outputs, evaluated offline, give the numbers of the validation in training."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.runs import json_lines
from engine.workspace import REPOSITORY
from tests.conftest import Program
from tests.engine.datasets.new_datasets import new_datasets

# What training calls a metric: the evaluator's name for it, and what makes the one of the other.
Pairs = dict[str, tuple[str, Callable[[float], float]]]


def same(value: float) -> float:
    return value


CLASSIFICATION: Pairs = {'accuracy': ('accuracy', same), 'loss': ('log_loss', same)}
SEGMENTATION: Pairs = {'pixel_accuracy': ('pixel_accuracy', same), 'mean_iou': ('mean_iou', same)}
LANGUAGE: Pairs = {'bits_per_byte': ('bits_per_byte', same)}
REGRESSION: Pairs = {'loss': ('rmse', math.sqrt), 'absolute_error': ('mae', same)}


def train(program: Program, run: Path, config: Path, *bindings: str) -> Path:
    """Trains for a few steps; returns the outputs of the validation examples."""
    short = ('trainer.Trainer.steps = 7', 'trainer.Trainer.batch_size = 8', 'trainer.Trainer.save_every = 3')
    flags = [f'--gin_bindings={binding}' for binding in (*short, *bindings)]
    code, _, err = program('train', f'--gin_file={config}', f'--run={run}', *flags)
    assert code == 0, err
    return run / 'outputs/val'


def check(program: Program, saved: Path, pairs: Pairs) -> None:
    """Evaluates outputs and compares with the line of the step that they are of."""
    assert program('evaluate', str(saved))[0] == 0
    result: dict[str, Any] = json.loads((saved / 'evaluation/metrics.json').read_text())
    lines = {line['step']: line for line in json_lines.read(saved.parents[1] / 'logs/val.jsonl')}
    line = lines[result['step']]
    for name, (offline, change) in pairs.items():
        assert result['metrics'][offline]['value'] == pytest.approx(change(line[name]), abs=1e-6, rel=0), name


@pytest.mark.parametrize(
    ('name', 'dataset', 'small', 'pairs'),
    [
        ('digits_cnn', 'digits/toy', 'convnet.ConvNet.width = 4', CLASSIFICATION),
        ('shapes_unet', 'shapes/toy', 'unet.UNet.width = 4', SEGMENTATION),
        ('stdlib_transformer', 'stdlib/toy', 'transformer.Transformer.width = 16', LANGUAGE),
    ],
)
def test_shipped_experiments(
    program: Program, tmp_path: Path, name: str, dataset: str, small: str, pairs: Pairs
) -> None:
    config = REPOSITORY / f'configs/{name}.gin'
    saved = train(program, tmp_path / 'run', config, f'trainer.Trainer.dataset = {dataset!r}', small)
    check(program, saved, pairs)


def test_regression(program: Program, tmp_path: Path) -> None:
    with new_datasets(tmp_path, parity_rows='arrays') as made:
        for file in ('configs/base.gin', 'pyproject.toml'):
            shutil.copy(REPOSITORY / file, made.repository / file)
        config = made.repository / 'configs/parity_rows.gin'
        check(program, train(program, tmp_path / 'run', config), REGRESSION)
