"""Cross-validations on hand-made runs, as the trainer writes them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from engine import outputs
from tests.conftest import Program
from tests.engine import sample_outputs
from tests.engine.commands.test_compare import ACCURACY, LABELS, scores, table

CONFIG = """\
from engine.parts import datasets
from research.models import mlp

# Macros:
# =====
FOLD = {fold}
SEED = {seed}
WIDTH = {width}

# Parameters for datasets.Fold:
# =====
datasets.Fold.dataset = 'digits'
datasets.Fold.fold = %FOLD
datasets.Fold.folds = {folds}
datasets.Fold.splits = ('train', 'val')

# Parameters for mlp.MLP:
# =====
mlp.MLP.features = %WIDTH

# Parameters for trainer.Trainer:
# =====
trainer.Trainer.dataset = @datasets.Fold()
trainer.Trainer.seed = %SEED
"""


def rows_of(fold: int, folds: int) -> np.ndarray:
    """Returns the examples of a fold; folds differ in size by one."""
    return np.arange(fold, len(LABELS), folds)


def write_fold(
    run: Path, strength: float, fold: int, folds: int = 3, seed: int = 0, config: str = CONFIG, **more: Any
) -> Path:
    rows, width = rows_of(fold, folds), more.pop('width', 8)
    logits = scores(strength, width * 100 + fold * 10 + seed)[rows]
    arrays = {'logits': logits, 'labels': LABELS[rows]}
    ids = [f'digit {row}' for row in rows]
    dataset = f"Fold('digits', fold={fold}, folds={folds})"
    manifest = outputs.Manifest('classification', run=run.name, split='test', dataset=dataset)
    outputs.write(run / 'outputs/test', manifest, arrays, ids, dict.fromkeys(arrays, 'of the test'))
    (run / 'config.gin').write_text(config.format(seed=seed, fold=fold, folds=folds, width=width))
    (run / 'environment.json').write_text(json.dumps({'commit': 'c0ffee0123', 'dirty': False}))
    return run


def accuracy(run: Path) -> float:
    read = outputs.read(run / 'outputs/test').arrays
    return float((read['logits'].argmax(1) == read['labels']).mean())


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two methods on 5 folds. The wide one has two seeds on fold 0."""
    for fold in range(5):
        write_fold(tmp_path / f'runs/narrow{fold}', 1.5, fold, 5)
        write_fold(tmp_path / f'runs/wide{fold}', 2.2, fold, 5, width=64)
    write_fold(tmp_path / 'runs/wide5', 2.2, 0, 5, seed=1, width=64)
    return tmp_path / 'runs'


def values(runs: Path, name: str) -> np.ndarray:
    of_folds = [accuracy(runs / f'{name}{fold}') for fold in range(5)]
    if name == 'wide':
        of_folds[0] = (of_folds[0] + accuracy(runs / 'wide5')) / 2
    return np.array(of_folds)


def test_folds_are_one_method(program: Program, runs: Path) -> None:
    code, out, err = program('compare', str(runs), '--resamples=1000')
    assert (code, err) == (0, '')
    best, other = table(out)
    assert (best['method'], other['method'], best['WIDTH'], other['WIDTH']) == ('wide0', 'narrow0', '64', '8')
    assert 'FOLD' not in best and (best['seeds'], other['seeds']) == ('0, 1', '0')
    for row, name in ((best, 'wide'), (other, 'narrow')):
        of_folds = 100 * values(runs, name)
        expected = f'{of_folds.mean():.2f} ± {of_folds.std(ddof=1):.2f}'
        assert row[ACCURACY].strip('*') == expected
    note = out.splitlines()[-1]
    for sentence in (
        'Cross-validation: 200 examples in 5 folds, the same for all. Values are the mean of 5 folds, each '
        'of which is the mean of its seeds. After ±: the standard deviation over the folds.',
        'with the corrected resampled t-test over 5 folds (Nadeau and Bengio 2003; two-sided, 1 test example '
        'to 3 for training)',
        'There is one comparison, so p needs no correction.',
        'All examples together: accuracy of the predictions',
        'Seeds that some folds lack do not count there.',
    ):
        assert sentence in note


def test_the_test_is_the_corrected_one(program: Program, runs: Path) -> None:
    _, out, _ = program('compare', str(runs), '--format=csv', '--resamples=1000')
    best, other = csv.DictReader(io.StringIO(out))
    differences = values(runs, 'narrow') - values(runs, 'wide')
    error = np.sqrt((1 / 5 + 1 / 3) * differences.var(ddof=1))
    p = 2 * stats.t.sf(abs(differences.mean()) / error, 4)
    half = stats.t.ppf(0.975, 4) * error
    assert float(other['p']) == pytest.approx(p, rel=1e-4)
    assert float(other['minus_best']) == pytest.approx(differences.mean(), rel=1e-4)
    assert float(other['minus_best_low']) == pytest.approx(differences.mean() - half, rel=1e-4)
    assert float(other['minus_best_high']) == pytest.approx(differences.mean() + half, rel=1e-4)
    assert other['p_mcnemar'] == ''
    wide = values(runs, 'wide')
    half = stats.t.ppf(0.975, 4) * np.sqrt((1 / 5 + 1 / 3) * wide.var(ddof=1))
    assert float(best['accuracy_high']) == pytest.approx(min(1, wide.mean() + half), rel=1e-4)
    assert float(best['accuracy_deviation']) == pytest.approx(wide.std(ddof=1), rel=1e-4)


def test_all_examples_together(program: Program, runs: Path) -> None:
    _, out, _ = program('compare', str(runs), '--format=csv', '--metric=log_loss', '--resamples=100')
    row = next(row for row in csv.DictReader(io.StringIO(out)) if row['method'] == 'narrow0')
    read = [outputs.read(runs / f'narrow{fold}/outputs/test').arrays for fold in range(5)]
    logits = np.concatenate([arrays['logits'] for arrays in read]).astype(float)
    labels = np.concatenate([arrays['labels'] for arrays in read])
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert float(row['log_loss_pooled']) == pytest.approx(metrics.log_loss(labels, chances), rel=1e-5)
    assert float(row['log_loss_pooled_low']) < float(row['log_loss_pooled'])
    # Each fold has a model of its own, whose scores are not those of another.
    _, out, _ = program('compare', str(runs), '--metric=calibration_error', '--resamples=100')
    assert 'There is no calibration error of all examples together' in out
    assert 'all examples together (%)' not in out.splitlines()[0]


def test_holm_corrects_for_several_methods(program: Program, runs: Path) -> None:
    for fold in range(5):
        write_fold(runs / f'third{fold}', 1.9, fold, 5, width=32)
    _, out, _ = program('compare', str(runs), '--format=csv', '--resamples=100')
    best, *others = csv.DictReader(io.StringIO(out))
    raw = []
    for row in others:
        name = row['method'].rstrip('0')
        differences = values(runs, name) - values(runs, best['method'].rstrip('0'))
        error = np.sqrt((1 / 5 + 1 / 3) * differences.var(ddof=1))
        raw.append(2 * stats.t.sf(abs(differences.mean()) / error, 4))
    low, high = sorted(raw)
    expected = {low: 2 * low, high: max(2 * low, high)}
    for row, p in zip(others, raw, strict=True):
        assert float(row['p']) == pytest.approx(min(1, expected[p]), rel=1e-4)


def test_forms_of_the_binding(program: Program, runs: Path) -> None:
    """Scoped, from another module, without macros, or below another expression."""
    plain, _, _ = program('compare', str(runs), '--resamples=100')[1].partition('\n\n')
    for old, new in (
        ('datasets.Fold', 'a/fold.Fold'),
        ('%FOLD', '{fold}'),
        (
            'trainer.Trainer.dataset = @datasets.Fold()',
            'trainer.Trainer.dataset = @datasets.First()\ndatasets.First.dataset = @datasets.Fold()',
        ),
    ):
        config = CONFIG.replace(old, new)
        for run in runs.iterdir():
            fold = int(run.name[-1]) % 5
            seed, width = int(run.name == 'wide5'), 64 if run.name.startswith('wide') else 8
            (run / 'config.gin').write_text(config.format(fold=fold, folds=5, seed=seed, width=width))
        assert program('compare', str(runs), '--resamples=100')[1].partition('\n\n')[0] == plain


def message(program: Program, *arguments: object) -> str:
    code, out, err = program('compare', *map(str, arguments), '--resamples=100')
    assert (code, out, err.count('\n'), err.startswith('error: ')) == (2, '', 1, True), err
    return err


def test_what_cannot_be_compared(program: Program, runs: Path, tmp_path: Path) -> None:
    narrow = [runs / f'narrow{fold}' for fold in range(5)]
    assert 'with 5 folds, of which 1, 3-4 are missing.' in message(program, narrow[0], narrow[2])
    assert 'with 5 folds, of which 4 is missing.' in message(program, *narrow[:4])
    three = [write_fold(tmp_path / f'three{fold}', 2, fold, 3, width=16) for fold in range(3)]
    err = message(program, *narrow, *three)
    assert 'narrow0 belongs to a cross-validation with 5 folds and' in err and 'to one with 3' in err
    fixed = sample_outputs.write(tmp_path / 'fixed', 'classification')
    assert 'fixed on a split that is not divided' in message(program, *narrow, fixed)
    assert 'fixed on a split that is not divided' in message(program, fixed, *narrow)
    for fold in range(5):
        (narrow[fold] / 'outputs/test').rename(narrow[fold] / 'outputs/val')
        rows = rows_of((fold + 2) % 5, 5) if fold else np.arange(50)
        arrays = {'logits': scores(1)[rows], 'labels': LABELS[rows]}
        ids = [f'digit {row}' for row in rows]
        outputs.write(
            narrow[fold] / 'outputs/train',
            outputs.Manifest('classification', split='train'),
            arrays,
            ids,
            dict.fromkeys(arrays, 'of the test'),
        )
    err = message(program, *narrow, '--split=train')
    assert 'is in the fold of' in err and 'pass --split=test' in err


def test_other_examples_in_a_fold(program: Program, runs: Path) -> None:
    other = CONFIG.replace("('train', 'val')", "('train', 'val', 'test')")
    for fold in range(5):
        run = write_fold(runs / f'more{fold}', 2, (fold + 1) % 5, 5, config=other, width=16)
        (run / 'config.gin').write_text(other.format(fold=fold, folds=5, seed=0, width=16))
    assert 'has 40 examples and' in message(program, runs)


def test_a_fold_given_twice_is_left_out(program: Program, runs: Path) -> None:
    write_fold(runs / 'wide6', 2.2, 3, 5, width=64)
    code, out, _ = program('compare', str(runs), '--resamples=100')
    assert code == 0
    assert 'its config, fold, seed and code are the same' in out
    shown = table(out)[0][ACCURACY].strip('*')
    assert shown.startswith(f'{100 * values(runs, "wide").mean():.2f} ±')


def test_folds_of_other_tools(program: Program, tmp_path: Path) -> None:
    """The details of a manifest name method and fold."""
    for name, strength in (('svm', 1.5), ('forest', 2.0)):
        for fold in range(3):
            rows = rows_of(fold, 3)
            arrays = {'logits': scores(strength, fold)[rows], 'labels': LABELS[rows]}
            details = {'method': name, 'fold': str(fold), 'folds': '3'}
            manifest = outputs.Manifest('classification', details=details)
            ids, meanings = [str(row) for row in rows], dict.fromkeys(arrays, 'of the test')
            outputs.write(tmp_path / f'{name}{fold}', manifest, arrays, ids, meanings)
    code, out, _ = program('compare', str(tmp_path), '--resamples=100')
    assert (code, len(table(out)), 'over 3 folds' in out, '1 test example to 1' in out) == (0, 2, True, True)
    for folder in tmp_path.glob('svm*'):
        path = folder / 'manifest.json'
        path.write_text(path.read_text().replace('"folds": "3"', '"folds": "2"'))
    err = message(program, *sorted(tmp_path.glob('svm[01]')))
    assert 'is fold 1 of 2. A cross-validation has at least 3 folds' in err


def test_labels_of_all_folds_from_a_file(program: Program, runs: Path, tmp_path: Path) -> None:
    rows = [f'digit {index},{label}' for index, label in enumerate(LABELS)]
    (tmp_path / 'labels.csv').write_text('\n'.join(['id,label', *rows]))
    code, out, _ = program('compare', str(runs), f'--labels={tmp_path}/labels.csv', '--resamples=100')
    assert (code, len(table(out))) == (0, 2)


@pytest.mark.parametrize('kind', ['detection', 'generation', 'language'])
def test_every_kind_is_compared_over_folds(program: Program, tmp_path: Path, kind: str) -> None:
    for method in ('a', 'b'):
        for fold in range(3):
            sample_outputs.write(
                tmp_path / f'{method}{fold}',
                kind,
                seed=fold + 10 * (method == 'b'),
                ids=[f'{fold}/{index}' for index in range(sample_outputs.EXAMPLES)],
                details={'method': method, 'fold': str(fold), 'folds': '3'},
            )
    code, out, _ = program('compare', str(tmp_path), '--resamples=100')
    assert (code, len(table(out)), '24 examples in 3 folds' in out) == (0, 2, True)
    if kind != 'detection':
        return
    page = tmp_path / 'page.html'
    assert program('compare', str(tmp_path), '--resamples=100', '--format=html', f'--output={page}')[0] == 0
    assert '24 examples · 3 folds · 6 outputs' in page.read_text()
