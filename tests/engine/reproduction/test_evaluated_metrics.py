"""The metrics of a run against those of its repetition."""

import json
import shutil
from pathlib import Path

import pytest

from engine.evaluation.evaluator import Evaluator
from engine.reproduction import evaluated_metrics, interpreter
from engine.reproduction.training import Recipe
from engine.workspace import REPOSITORY
from tests.engine.commands.test_compare import scores, write
from tests.engine.reproduction.logs import write_metrics, write_run

EVALUATION = Path('outputs', 'test', 'evaluation', 'metrics.json')


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_run(tmp_path / 'a', [1.0]), write_run(tmp_path / 'b', [1.0])


def difference(one: Path, other: Path) -> str:
    return evaluated_metrics.difference(one / 'outputs' / 'test', other / 'outputs' / 'test')


def test_the_first_metric_that_differs(pair: tuple[Path, Path]) -> None:
    write_metrics(pair[0], accuracy=0.5, log_loss=1.25)
    write_metrics(pair[1], accuracy=0.5, log_loss=1.5)
    assert difference(*pair) == 'log_loss was 1.25, is 1.5'
    assert difference(pair[0], pair[0]) == ''


def test_an_interval_and_an_undefined_metric_count(pair: tuple[Path, Path]) -> None:
    for run in pair:
        write_metrics(run, accuracy=0.5)
    path = pair[1] / EVALUATION
    path.write_text(path.read_text().replace('0.6', '0.625'))
    assert difference(*pair) == 'accuracy, its interval, was [0.4, 0.6], is [0.4, 0.625]'
    write_metrics(pair[1], accuracy=None)
    assert difference(*pair) == 'accuracy was 0.5, is not defined'


def test_metrics_of_other_versions_do_not_count(pair: tuple[Path, Path]) -> None:
    write_metrics(pair[0], accuracy=0.5, new=1.0)
    write_metrics(pair[1], accuracy=0.5, old=1.0)
    assert difference(*pair) == ''


@pytest.mark.parametrize('text', ['', '[]', '{"metrics": 3}', '{"metrics": {"accuracy": 0.5}}'])
def test_a_damaged_evaluation_is_none(pair: tuple[Path, Path], text: str) -> None:
    write_metrics(pair[0], accuracy=0.5)
    (pair[0] / EVALUATION).write_text(text)
    assert evaluated_metrics.metrics(pair[0] / 'outputs' / 'test') == {}


def test_the_outputs_of_the_repetition_are_evaluated(pair: tuple[Path, Path]) -> None:
    """In a process, with the recorded code. Evaluations that the record cannot repeat are named instead."""
    for run in pair:
        for name in ('test', 'val', 'train'):
            write(run / 'outputs' / name, scores(1.0))
    Evaluator().evaluate(pair[0] / 'outputs' / 'test')
    shutil.rmtree(pair[1] / 'outputs' / 'train')
    for name, more in (('val', {'config': 'a.b = 1'}), ('train', {})):
        write_metrics(pair[0], name, more, accuracy=0.5)
    recipe = Recipe(REPOSITORY, interpreter.existing(), Path('config.gin'), None)
    notes = evaluated_metrics.repeat(recipe, *pair)
    assert notes == ['the metrics of outputs/val, evaluated with a config of their own, are not compared']
    assert json.loads((pair[1] / EVALUATION).read_text())['metrics']['accuracy']['value'] > 0
    assert not (pair[1] / 'outputs' / 'val' / 'evaluation').exists()
    assert difference(*pair) == ''


def test_an_evaluation_that_fails_is_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for run in pair:
        write(run / 'outputs' / 'test', scores(1.0))
    write_metrics(pair[0], accuracy=0.5)
    recipe = Recipe(tmp_path, interpreter.existing(), Path('config.gin'), None)
    [note] = evaluated_metrics.repeat(recipe, *pair)
    assert note.startswith('the repeated outputs cannot be evaluated: ')
