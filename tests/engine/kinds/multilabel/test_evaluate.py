"""Multi-label metrics against scikit-learn and slow loops, on random and edge cases, and what is refused.

Longer by hand: FUZZ=500 scripts/test.sh tests/engine/kinds/multilabel/test_evaluate.py
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from engine import outputs
from engine.errors import UserError
from engine.evaluation.evaluator import Evaluator
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.multilabel import KIND, agreement, class_probabilities, ensemble, pack
from engine.kinds.multilabel.evaluate import MultilabelEvaluation
from engine.outputs.outputs import Outputs
from tests.engine.random_cases import random_cases

BOOTSTRAP = Bootstrap(100, 0.95, 0)


def random_labels(seed: int, missing: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns logits and targets, with ties, absent classes, examples without labels, and missing labels."""
    random = np.random.default_rng(seed)
    n, classes = int(random.choice([1, 2, 10, 60])), int(random.choice([1, 2, 3, 8]))
    shares = random.choice([0, 0.1, 0.5, 0.9, 1], size=classes)
    targets = (random.random((n, classes)) < shares).astype(np.int8)
    logits = random.normal(size=(n, classes)) + 2 * targets - 1
    logits = logits.round() if random.random() < 0.5 else logits
    share = random.choice([0, 0.3, 0.9]) if missing is None else missing
    targets[random.random((n, classes)) < share] = -1
    return logits, targets


def as_outputs(arrays: dict[str, np.ndarray], **manifest: Any) -> Outputs:
    ids = tuple(str(index) for index in range(len(arrays['targets'])))
    return Outputs(Path('it'), outputs.Manifest('multilabel', **manifest), ids, arrays)


def evaluated(bootstrap: Bootstrap = BOOTSTRAP, threshold: float = 0.5, **arrays: np.ndarray) -> Any:
    return MultilabelEvaluation(threshold).report(as_outputs(arrays), bootstrap)


def values(report: Any) -> dict[str, float]:
    return {name: metric.value for name, metric in report.metrics.items()}


def of_classes(scores: np.ndarray, targets: np.ndarray, score: Callable, both: bool) -> list[float]:
    """Returns a score of each class by scikit-learn from its known labels; NaN where there is none."""
    result = []
    for column, labels in zip(scores.T, targets.T, strict=True):
        known = labels >= 0
        fine = (labels == 1).any() and (not both or (labels == 0).any())
        result.append(score(labels[known], column[known]) if fine else math.nan)
    return result


def mean(numbers: list[float]) -> float:
    known = [number for number in numbers if not math.isnan(number)]
    return sum(known) / len(known) if known else math.nan


def by_scikit_learn(scores: np.ndarray, chances: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Returns all metrics with scikit-learn, one class or one example at a time if labels are missing."""
    known, guesses, f1 = targets >= 0, chances >= 0.5, cast('Any', metrics.f1_score)
    flat: Any = {'y_true': targets[known], 'y_pred': guesses[known].astype(int)}
    some = bool((targets == 1).any())
    expected = {
        'mean_ap': mean(of_classes(scores, targets, metrics.average_precision_score, both=False)),
        'macro_roc_auc': mean(of_classes(scores, targets, metrics.roc_auc_score, both=True)),
        'micro_ap': metrics.average_precision_score(targets[known], scores[known]) if some else math.nan,
        'hamming_loss': 1 - metrics.accuracy_score(**flat),
        'log_loss': metrics.log_loss(targets[known], chances[known], labels=[0, 1]),
        'micro_f1': f1(**flat, zero_division=math.nan),
    }
    columns = [(targets[known[:, k], k], guesses[known[:, k], k]) for k in range(targets.shape[1])]
    columns = [(true, guess) for true, guess in columns if true.any() or guess.any()]
    for name in ('precision', 'recall', 'f1'):
        score = getattr(metrics, f'{name}_score')
        expected[f'macro_{name}'] = mean([score(*column, zero_division=0) for column in columns])
    for name in ('precision', 'recall'):
        score = getattr(metrics, f'{name}_score')
        expected[f'micro_{name}'] = score(**flat, zero_division=0) if columns else math.nan
    rows = [
        (targets[i, known[i]][np.newaxis], guesses[i, known[i]][np.newaxis], scores[i, known[i]][np.newaxis])
        for i in range(len(targets))
        if known[i].any()
    ]
    expected['exact_match'] = mean([float((true == guess).all()) for true, guess, _ in rows])
    expected['samples_f1'] = mean([_sample_f1(true[0], guess[0]) for true, guess, _ in rows])
    expected['ranking_loss'] = mean([_order(metrics.label_ranking_loss, *row) for row in rows])
    expected['coverage_error'] = mean([_order(metrics.coverage_error, *row) for row in rows])
    return expected


def _order(score: Callable, true: np.ndarray, _: np.ndarray, scores: np.ndarray) -> float:
    if true.size > 1:
        return score(true, scores)
    return float(true.sum()) if score is metrics.coverage_error else 0.0  # scikit-learn wants two labels


def _sample_f1(true: np.ndarray, guess: np.ndarray) -> float:
    if not true.any() and not guess.any():
        return 1.0
    return 2 * float((true & guess).sum()) / float(true.sum() + guess.sum())


@random_cases(20)
@given(seed=st.integers(0, 2**32), array=st.sampled_from(['logits', 'probabilities']))
def test_metrics_of_random_outputs(seed: int, array: str) -> None:
    logits, targets = random_labels(seed)
    if not (targets >= 0).any():
        return
    chances = special.expit(logits)
    scores = logits if array == 'logits' else chances
    result = values(evaluated(**{array: scores, 'targets': targets}))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        expected = by_scikit_learn(scores, chances, targets)
    assert result == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_whole_matrices_are_those_of_scikit_learn() -> None:
    """Without missing labels, by scikit-learn's own averages, as the definitions name them."""
    random = np.random.default_rng(0)
    targets = (random.random((80, 5)) < 0.3).astype(np.int8)
    targets[0], targets[:, 4] = 0, 0
    logits = random.normal(size=(80, 5)) + targets - 1
    logits[:, 4], logits[0] = -9, -9
    guesses = (special.expit(logits) >= 0.5).astype(int)
    result = values(evaluated(logits=logits, targets=targets))
    f1: Any = metrics.f1_score
    expected = {
        'mean_ap': metrics.average_precision_score(targets[:, :4], logits[:, :4], average='macro'),
        'micro_ap': metrics.average_precision_score(targets, logits, average='micro'),
        'macro_roc_auc': metrics.roc_auc_score(targets[:, :4], logits[:, :4], average='macro'),
        'macro_f1': f1(targets, guesses, average='macro', zero_division=np.nan),
        'micro_f1': f1(targets, guesses, average='micro'),
        'samples_f1': f1(targets, guesses, average='samples', zero_division=1.0),
        'exact_match': metrics.accuracy_score(targets, guesses),
        'hamming_loss': metrics.hamming_loss(targets, guesses),
        'ranking_loss': metrics.label_ranking_loss(targets, logits),
        'coverage_error': metrics.coverage_error(targets, logits),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_intervals_against_a_loop() -> None:
    logits, targets = random_labels(4, missing=0.2)
    targets[0, 0] = 1
    report = evaluated(logits=logits, targets=targets)
    drawn = [
        values(evaluated(logits=logits.repeat(counts, 0), targets=targets.repeat(counts, 0)))
        for counts in BOOTSTRAP.counts(len(logits)).astype(int)
        if (targets.repeat(counts, 0) >= 0).any()
    ]
    for name, metric in report.metrics.items():
        expected = np.nanquantile([resample[name] for resample in drawn], [0.025, 0.975])
        assert metric.interval == pytest.approx(expected, abs=1e-9, nan_ok=True), name


@pytest.mark.parametrize('threshold', [0.01, 0.25, 0.5, 0.99])
def test_the_table_of_thresholds_against_an_evaluation_at_each(threshold: float) -> None:
    logits, targets = random_labels(7, missing=0.2)
    report = evaluated(threshold=threshold, logits=logits, targets=targets)
    row = report.tables['f1_by_threshold'].loc[threshold]
    assert (row['micro_f1'], row['macro_f1']) == pytest.approx(
        (report.metrics['micro_f1'].value, report.metrics['macro_f1'].value), nan_ok=True
    )
    if report.metrics['micro_precision'].value:
        assert row['precision'] == pytest.approx(report.metrics['micro_precision'].value)
        assert row['recall'] == pytest.approx(report.metrics['micro_recall'].value)


def test_missing_labels_never_count() -> None:
    """Whatever is predicted where a label is missing, and a class and an example that have none."""
    logits, targets = random_labels(4, missing=0.3)
    targets[:, 1], targets[3] = -1, -1
    other = np.where(targets < 0, 99 * np.random.default_rng(0).normal(size=logits.shape), logits)
    one, two = (evaluated(logits=each, targets=targets) for each in (logits, other))
    assert values(one) == values(two)
    assert (
        one.tables['per_class']
        .drop(columns='roc_auc')
        .equals(two.tables['per_class'].drop(columns='roc_auc'))
    )
    assert any('labels' in note and 'unknown' in note for note in one.footnotes)


def test_tables_name_what_was_right_missed_and_wrong() -> None:
    logits = np.array([[9.0, -9, -9], [-9, 9, 9], [-9, -9, -9]])
    targets = np.array([[1, 0, 0], [1, 1, -1], [0, 0, 0]], np.int8)
    saved = as_outputs({'logits': logits, 'targets': targets}, class_names=['cat', 'dog', 'owl'])
    report = MultilabelEvaluation().report(saved, BOOTSTRAP)
    table = report.tables['per_example']
    assert table.index[0] == '1'
    assert table.loc['1', ['label', 'prediction', 'right', 'missed', 'wrong']].tolist() == [
        'cat; dog', 'dog; owl', 'dog', 'cat', ''
    ]  # fmt: skip
    assert table['f1'].loc[['0', '1', '2']].tolist() == pytest.approx([1, 2 / 3, 1])
    assert MultilabelEvaluation().caption(table.loc['1'].to_dict()) == '✓ dog\n− cat'  # noqa: RUF001
    assert MultilabelEvaluation().caption(table.loc['2'].to_dict()) == 'no class, as predicted'
    per_class = report.tables['per_class']
    assert per_class['support'].tolist() == [2, 1, 0]
    assert per_class['known'].tolist() == [3, 3, 2]
    assert per_class['ap'].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ('targets', 'undefined'),
    [
        ([[0, 0], [0, 0]], {'mean_ap', 'micro_ap', 'macro_roc_auc'}),
        ([[1, 1], [1, 1]], {'macro_roc_auc'}),
        ([[0, -1], [-1, 0]], {'mean_ap', 'micro_ap', 'macro_roc_auc'}),
    ],
)
def test_what_is_not_defined_is_named_with_the_reason(targets: Any, undefined: set[str]) -> None:
    report = evaluated(logits=np.ones((2, 2)), targets=np.array(targets, np.int8))
    assert {name for name, metric in report.metrics.items() if math.isnan(metric.value)} == undefined
    titles = [report.metrics[name].definition.title for name in undefined]
    assert all(any(title in note and 'not defined' in note for note in report.footnotes) for title in titles)


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        ({'targets': None}, r'no targets\.npy'),
        ({'targets': [[2, 0]]}, "targets.npy holds 2 for the example '0'"),
        ({'targets': [[-2, 0]]}, 'targets.npy holds -2'),
        ({'targets': [[-1, -1]]}, 'no known label'),
        ({'logits': [[np.nan, 0]]}, r'logits\.npy holds NaN'),
        ({'logits': None, 'probabilities': [[1.5, 0]]}, 'holds 1.5 .* from 0 to 1'),
        ({'logits': None, 'probabilities': [[-0.1, 0]]}, 'Write logits.npy instead'),
    ],
)
def test_what_cannot_be_evaluated_is_refused(tmp_path: Path, changed: dict, message: str) -> None:
    given = {'logits': [[1, 0]], 'targets': [[1, 0]]} | changed
    arrays = {
        name: np.array(array, np.int8 if name == 'targets' else np.float32)
        for name, array in given.items()
        if array is not None
    }
    stated = outputs.Manifest('multilabel')
    outputs.write(tmp_path / 'it', stated, arrays, ['0'], dict.fromkeys(arrays, 'of the test'))
    with pytest.raises(UserError, match=message):
        Evaluator(resamples=100).evaluate(tmp_path / 'it')


@pytest.mark.parametrize('threshold', [0.0, 1.0, -1.0])
def test_a_threshold_lies_between_0_and_1(threshold: float) -> None:
    with pytest.raises(UserError, match='must be between 0 and 1'):
        MultilabelEvaluation(threshold)


# The declaration.


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.int32, np.int64, np.float32, np.float64])
def test_targets_of_any_plain_dtype_are_packed(dtype: Any) -> None:
    targets = np.array([[1, 0], [0, 1]], dtype)
    assert pack({'logits': np.zeros((2, 2)), 'targets': targets})['targets'].dtype == np.int8


def test_nan_is_a_missing_label_and_lists_are_padded() -> None:
    logits = np.zeros((3, 4), np.float32)
    packed = pack({'logits': logits, 'targets': np.array([[np.nan, 1, 0, -1]] * 3)})
    assert packed['targets'].tolist() == [[-1, 1, 0, -1]] * 3
    packed = pack({'logits': logits, 'labels': np.array([[3, 0], [-1, -1], [1, 1]])})
    assert packed['targets'].tolist() == [[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert pack({'logits': logits, 'labels': np.array([3, 0, 1])})['targets'].sum(1).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ({'targets': np.array([[2, 0, 0]])}, 'targets hold 2'),
        ({'targets': np.array([[0.5, 0, 0]])}, 'targets hold 0.5'),
        ({'labels': np.array([[3]])}, 'indices of the 3 classes'),
        ({'labels': np.array([[-2]])}, 'indices of the 3 classes'),
        ({'labels': np.array([[0.5]])}, 'labels hold float64'),
    ],
)
def test_other_labels_are_refused_before_training(given: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pack({'logits': np.zeros((1, 3)), **given})


def test_probabilities_are_those_of_scipy() -> None:
    logits = np.array([[-1000, -800, -30, -1e-9, 0, 1e-9, 3, 40, 1000.0]])
    np.testing.assert_allclose(class_probabilities({'logits': logits}), special.expit(logits), rtol=1e-15)


def test_an_ensemble_is_the_mean_of_probabilities() -> None:
    members = [{'logits': np.array([[0.0, 99.0]])}, {'probabilities': np.array([[1.0, 0.0]], np.float32)}]
    np.testing.assert_allclose(ensemble(members)['probabilities'], [[0.75, 0.5]])


def test_agreement_is_1_if_all_is_right_and_at_most_0_for_a_constant() -> None:
    targets = np.array([[1, 0, -1], [0, 0, 1], [0, 1, -1]])
    assert KIND.agreement is agreement
    assert agreement({'logits': np.where(targets == 1, 9.0, -9.0)}, {'targets': targets}) == 1
    assert agreement({'logits': np.full((3, 3), -9.0)}, {'targets': targets}) <= 0
    labels = np.array([[0, 1], [2, -1], [1, -1]])
    assert agreement({'logits': np.eye(3)[[0, 2, 1]] - 0.5}, {'labels': labels}) == pytest.approx(2 / 3)
