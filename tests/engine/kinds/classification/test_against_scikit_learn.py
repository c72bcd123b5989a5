"""All metrics of random outputs, as the evaluator reports them, are those of scikit-learn to 1e-9.

Longer by hand: FUZZ=500 scripts/test.sh tests/engine/kinds/classification/test_against_scikit_learn.py
"""

import json
import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from engine import outputs
from engine.evaluation.evaluator import Evaluator
from tests.conftest import Program
from tests.engine.random_cases import random_cases

SCORES = ('precision', 'recall', 'f1')


def random_set(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and logits, with classes that are missing among either, ties, or one class alone."""
    random = np.random.default_rng(seed)
    classes = int(random.choice([1, 2, 2, 3, 5, 40]))
    n = int(random.choice([1, 2, 10, 100]))
    true = random.choice(classes, size=random.integers(1, classes + 1), replace=False)
    guessed = random.choice(classes, size=random.integers(1, classes + 1), replace=False)
    labels = random.choice(true, size=n)
    logits = random.normal(size=(n, classes)) + 2 * np.eye(classes)[labels]
    logits[:, np.setdiff1d(np.arange(classes), guessed)] -= 20
    return labels, logits.round(1) if random.random() < 0.5 else logits


def by_scikit_learn(labels: np.ndarray, guesses: np.ndarray, classes: int) -> dict[str, float]:
    """Returns what scikit-learn says of predicted classes; NaN where it has a convention instead."""
    either: dict[str, Any] = {'y_true': labels, 'y_pred': guesses}
    one_guess, one_label = (len(set(column.tolist())) == 1 for column in (guesses, labels))
    expected = {
        'accuracy': metrics.accuracy_score(**either),
        'balanced_accuracy': metrics.balanced_accuracy_score(**either),
        'matthews': math.nan if one_guess or one_label else metrics.matthews_corrcoef(**either),
        'cohens_kappa': metrics.cohen_kappa_score(labels, guesses),
    }
    for average in ('macro', 'weighted', 'micro'):
        means: Any = metrics.precision_recall_fscore_support(
            **either | {'average': average, 'zero_division': 0.0}
        )
        expected |= {f'{average}_{score}': mean for score, mean in zip(SCORES, means[:3], strict=True)}
    if classes == 2:
        for name, positive in (('sensitivity', 1), ('specificity', 0)):
            recall = metrics.recall_score(**either, pos_label=positive)
            expected[name] = recall if positive in labels else math.nan
    return expected


def of_probabilities(labels: np.ndarray, chances: np.ndarray) -> dict[str, float]:
    """Returns what scikit-learn says of probabilities, of the classes of which it can say something."""
    classes = chances.shape[1]
    columns = [1] if classes == 2 else range(classes)
    is_true = np.eye(classes, dtype=int)[labels]
    both = [k for k in columns if 0 < is_true[:, k].sum() < len(labels)]
    some = [k for k in columns if is_true[:, k].any()]
    return {
        'roc_auc': metrics.roc_auc_score(is_true[:, both], chances[:, both]) if both else math.nan,
        'average_precision': (
            metrics.average_precision_score(is_true[:, some], chances[:, some]) if some else math.nan
        ),
        'brier_score': metrics.brier_score_loss(
            labels, chances[:, 1] if classes == 2 else chances, labels=range(classes)
        )
        if classes > 1
        else 0,
    }


def evaluated(arrays: dict[str, np.ndarray], **manifest: Any) -> dict[str, float]:
    """Returns the metrics that the evaluator writes; NaN where it writes null."""
    with tempfile.TemporaryDirectory() as name:
        folder, ids = Path(name) / 'it', [str(index) for index in range(len(arrays['labels']))]
        stated = outputs.Manifest('classification', **manifest)
        outputs.write(folder, stated, arrays, ids, dict.fromkeys(arrays, 'of the test'))
        report = Evaluator(resamples=100).report(folder).as_json()
        written = json.loads(json.dumps(report, allow_nan=False))['metrics']
    return {
        metric: math.nan if entry['value'] is None else entry['value'] for metric, entry in written.items()
    }


@random_cases(40)
@given(seed=st.integers(0, 2**32), array=st.sampled_from(['logits', 'probabilities', 'predicted']))
def test_metrics_of_random_outputs(seed: int, array: str) -> None:
    labels, logits = random_set(seed)
    chances, guesses, classes = special.softmax(logits, axis=1), logits.argmax(1), logits.shape[1]
    scores = {'logits': logits, 'probabilities': chances, 'predicted': guesses}[array]
    if array == 'probabilities':
        guesses = chances.argmax(1)
    # Absent classes have names too, and do not count.
    result = evaluated({array: scores, 'labels': labels}, class_names=[f'class {k}' for k in range(classes)])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        expected = by_scikit_learn(labels, guesses, classes)
        expected |= of_probabilities(labels, chances) if array != 'predicted' else {}
    assert {name: result.get(name) for name in expected} == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert ('log_loss' in result) == (array != 'predicted')


def test_a_predicted_class_that_is_never_true_counts() -> None:
    """Among three classes of which the third is predicted in vain."""
    labels, guesses = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 2, 1, 1, 2])
    result = evaluated({'predicted': guesses, 'labels': labels}, class_names=['a', 'b', 'c', 'unused'])
    assert result['macro_f1'] == pytest.approx(metrics.f1_score(labels, guesses, average='macro'))
    assert result['macro_f1'] == pytest.approx(0.8 * 2 / 3)
    assert result['macro_recall'] == pytest.approx(2 / 3 * 2 / 3)
    assert result['balanced_accuracy'] == pytest.approx(2 / 3)


@pytest.mark.parametrize('classes', [3, 4])
def test_one_versus_rest_is_that_of_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(classes)
    labels = random.integers(classes, size=200)
    chances = special.softmax(random.normal(size=(200, classes)) + np.eye(classes)[labels], axis=1)
    result = evaluated({'probabilities': chances, 'labels': labels})
    assert result['roc_auc'] == pytest.approx(
        metrics.roc_auc_score(labels, chances, multi_class='ovr', average='macro'), abs=1e-9
    )
    assert result['average_precision'] == pytest.approx(
        metrics.average_precision_score(labels, chances, average='macro'), abs=1e-9
    )


def test_what_is_not_defined_is_a_dash_with_a_note(program: Program, tmp_path: Path) -> None:
    arrays = {'predicted': np.array([0, 0, 0]), 'labels': np.array([0, 1, 0])}
    manifest = outputs.Manifest('classification')
    outputs.write(tmp_path / 'it', manifest, arrays, ['a', 'b', 'c'], dict.fromkeys(arrays, 'it'))
    code, out, _ = program('evaluate', str(tmp_path / 'it'))
    assert code == 0
    assert 'Matthews correlation is not defined: all predictions or all labels are the same class.' in out
    assert 'Metrics of probabilities are left out' in out
    page = (tmp_path / 'it/evaluation/report.html').read_text()
    assert 'Matthews correlation is not defined' in page
