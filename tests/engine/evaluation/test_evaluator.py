import csv
import json
from pathlib import Path

import numpy as np
import pytest

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.outputs import kind_folders
from tests.engine.random_logits import random_logits

EVALUATOR = Evaluator(resamples=200)


@pytest.fixture
def folder(save) -> Path:
    return save(*random_logits(0, classes=7), class_names=list('abcdefg'), project='zoo', run='r1', step=7)


def test_all_is_written(folder: Path):
    returned = EVALUATOR.evaluate(folder)
    written = folder / 'evaluation'
    assert sorted(str(path.relative_to(written)) for path in written.rglob('*.*')) == [
        'calibration.csv',
        'confused_pairs.csv',
        'confusion_matrix.csv',
        *(
            f'figures/{name}.{suffix}'
            for name in ('calibration', 'confusion_matrix', 'per_class_f1')
            for suffix in ('pdf', 'png', 'svg')
        ),
        'metrics.json',
        'metrics.md',
        'per_class.csv',
        'per_example.csv',
        'report.html',
    ]
    assert json.loads((written / 'metrics.json').read_text()) == returned
    assert outputs.read(folder).manifest.step == 7


def test_metrics_json(folder: Path):
    result = EVALUATOR.evaluate(folder)
    origin = ('kind', 'project', 'run', 'step', 'dataset', 'split', 'examples')
    assert [result[key] for key in origin] == ['classification', 'zoo', 'r1', 7, 'animals', 'test', 60]
    assert result['bootstrap'] == {'resamples': 200, 'confidence': 0.95, 'seed': 0}
    assert result['files'] == json.loads((folder / 'manifest.json').read_text())['files']
    assert list(result['metrics'])[:6] == [
        'accuracy',
        'balanced_accuracy',
        'top_5_accuracy',
        'macro_f1',
        'log_loss',
        'calibration_error',
    ]
    logits, labels = random_logits(0, classes=7)
    accuracy = result['metrics']['accuracy']
    assert accuracy['value'] == pytest.approx((logits.argmax(axis=1) == labels).mean())
    assert accuracy['interval'][0] < accuracy['value'] < accuracy['interval'][1]
    assert (accuracy['unit'], accuracy['direction']) == ('fraction', 'higher')
    assert set(accuracy) == {
        'title',
        'value',
        'interval',
        'unit',
        'direction',
        'definition',
        'source',
        'group',
    }


def test_metrics_md_and_tables(folder: Path):
    value = 100 * EVALUATOR.evaluate(folder)['metrics']['accuracy']['value']
    text = (folder / 'evaluation' / 'metrics.md').read_text()
    assert text.startswith('# Classification of animals, test, 60 examples, zoo, r1, step 7\n')
    assert f'| accuracy | {value:.2f} % |' in text
    rows = list(csv.DictReader((folder / 'evaluation' / 'per_class.csv').read_text().splitlines()))
    assert [row['class'] for row in rows] == list('abcdefg')
    assert sum(int(row['support']) for row in rows) == 60


def test_the_same_again(folder: Path, tmp_path: Path):
    for name in ('one', 'two'):
        EVALUATOR.evaluate(folder, tmp_path / name)
    for path in (tmp_path / 'one').rglob('*.*'):
        again = tmp_path / 'two' / path.relative_to(tmp_path / 'one')
        assert path.read_bytes() == again.read_bytes(), path.name
    other = Evaluator(resamples=200, seed=1).report(folder).metrics['log_loss']
    assert list(other.interval) != list(EVALUATOR.report(folder).metrics['log_loss'].interval)


def test_an_evaluation_is_kept_unless_overwritten(folder: Path):
    EVALUATOR.evaluate(folder)
    with pytest.raises(UserError, match='exists already'):
        EVALUATOR.evaluate(folder)
    changed = Evaluator(resamples=300)
    assert changed.evaluate(folder, overwrite=True)['bootstrap']['resamples'] == 300
    assert json.loads((folder / 'evaluation' / 'metrics.json').read_text())['bootstrap']['resamples'] == 300


def test_a_failure_while_writing_leaves_the_old_evaluation(folder: Path, monkeypatch: pytest.MonkeyPatch):
    EVALUATOR.evaluate(folder)
    before = (folder / 'evaluation' / 'metrics.json').read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError('No space left on device')

    monkeypatch.setattr('matplotlib.figure.Figure.savefig', fail)
    with pytest.raises(OSError, match='No space left'):
        Evaluator(resamples=300).evaluate(folder, overwrite=True)
    assert (folder / 'evaluation' / 'metrics.json').read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.startswith('.')]


def test_a_kind_without_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / 'bare').mkdir()
    (tmp_path / 'bare/__init__.py').write_text(
        'from engine.outputs.kind import Field, Kind\n'
        "KIND = Kind({'marks': Field('float32', 'n')}, needs=(('marks',),))\n"
    )
    monkeypatch.setattr(kind_folders, 'PACKAGES', {tmp_path.name: tmp_path})
    monkeypatch.syspath_prepend(tmp_path.parent)
    arrays = {'marks': np.zeros(2, np.float32)}
    outputs.write(tmp_path / 'it', outputs.Manifest('bare'), arrays, ['a', 'b'], {'marks': 'zeros'})
    with pytest.raises(UserError, match=r'bare/evaluate\.py does not exist'):
        EVALUATOR.evaluate(tmp_path / 'it')


def test_damaged_outputs_are_refused(folder: Path):
    (folder / 'labels.npy').write_bytes(b'')
    with pytest.raises(UserError, match=r'labels\.npy is damaged'):
        EVALUATOR.evaluate(folder)
    assert not (folder / 'evaluation').exists()


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ({'resamples': 99}, 'Evaluator.resamples = 99: it must be at least 100'),
        ({'confidence': 95}, 'Evaluator.confidence = 95: it must be between 0 and 1'),
        ({'seed': -1}, 'Evaluator.seed = -1: it must be at least 0'),
    ],
)
def test_settings_that_make_no_sense(setting: dict, message: str):
    with pytest.raises(UserError, match=message):
        Evaluator(**setting)
