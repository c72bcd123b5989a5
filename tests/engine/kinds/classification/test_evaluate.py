import math
from typing import Any

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from engine import outputs
from engine.errors import UserError
from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.classification import measuring
from engine.kinds.classification.calibration import bin_of
from engine.kinds.classification.class_predictions import ClassPredictions, ProbabilityFacts
from engine.kinds.classification.class_probabilities import read_predictions
from engine.kinds.classification.evaluate import ClassificationEvaluation
from engine.kinds.classification.ranking_scores import RankedClasses
from tests.engine.random_logits import random_logits

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=0)


def measured(predicted: ClassPredictions, chances: np.ndarray) -> dict[str, float]:
    return measuring.measure(predicted, RankedClasses.of(chances, predicted.labels), [2, 3], 5)


def taken(predicted: ClassPredictions, rows: np.ndarray) -> ClassPredictions:
    facts = predicted.probable
    assert facts is not None
    taken_facts = ProbabilityFacts(**{name: array[rows] for name, array in vars(facts).items()})
    return ClassPredictions(
        predicted.labels[rows], predicted.predictions[rows], predicted.class_names, taken_facts
    )


@pytest.mark.parametrize(('classes', 'missing'), [(4, ()), (4, (1, 3)), (2, ()), (2, (0,))])
def test_each_draw_is_what_the_metrics_say_of_that_resample(save, classes: int, missing: tuple[int, ...]):
    """The fast sums against the slow way: take the resampled examples and measure them."""
    logits, labels = random_logits(5, examples=25, classes=classes, missing=missing)
    logits = logits.round(1)  # with ties
    folder = outputs.read(save(logits, labels))
    predicted, chances = read_predictions(folder), special.softmax(logits.astype(np.float64), axis=1)
    values = measuring.resample(predicted, measuring.ranked_classes(folder), [2, 3], 5, BOOTSTRAP)
    counts_of_draws = np.concatenate(list(BOOTSTRAP.blocks(25)))
    for draw, counts in enumerate(counts_of_draws.astype(int)):
        rows = np.repeat(np.arange(25), counts)
        expected = measured(taken(predicted, rows), chances[rows])
        assert len(expected) == 20 + 2 * (classes == 2)
        assert {name: values[name][draw] for name in expected} == pytest.approx(expected, nan_ok=True)


def ties(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns scores of few values, so that many are equal, and labels."""
    random = np.random.default_rng(seed)
    return random.integers(0, 3, (80, 4)).astype(np.float32), random.integers(0, 4, 80).astype(np.int32)


def certain(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns probabilities of 0 and 1, some of them wrong, and labels."""
    random = np.random.default_rng(seed)
    return np.eye(4, dtype=np.float32)[random.integers(0, 4, 50)], random.integers(0, 4, 50).astype(np.int32)


LABELS = random_logits(3)[1]
CASES = {
    'random': random_logits(0),
    'many classes': random_logits(1, examples=300, classes=20),
    'a class missing among the labels': random_logits(2, missing=(1,)),
    'one class alone among the labels': random_logits(3, missing=(0, 1, 3)),
    'a class never predicted': (
        random_logits(4)[0] - np.array([0, 0, 20, 0], np.float32),
        random_logits(4)[1],
    ),
    'ties': ties(5),
    'all equal': (np.zeros((30, 4), np.float32), random_logits(6, examples=30)[1]),
    'one example': random_logits(7, examples=1),
    'one class': (random_logits(8, classes=1)[0], np.zeros(60, np.int32)),
    'all right': (random_logits(9)[0] + 9 * np.eye(4, dtype=np.float32)[LABELS], LABELS),
    'all wrong': (random_logits(9)[0] - 9 * np.eye(4, dtype=np.float32)[LABELS], LABELS),
}


def slow_metrics(chances: np.ndarray, truths: np.ndarray, k: int, bins: int) -> dict[str, float]:
    """Returns every metric, by its definition in words, example by example."""
    rows, labels = chances.tolist(), truths.tolist()
    orders = [sorted(range(len(row)), key=lambda index: (-row[index], index)) for row in rows]
    guesses, n = [order[0] for order in orders], len(labels)
    precisions, recalls, f1s = [], [], []
    for label in sorted({*labels, *guesses}):
        hits = sum(guess == label == truth for guess, truth in zip(guesses, labels, strict=True))
        precision = hits / guesses.count(label) if label in guesses else 0.0
        recall = hits / labels.count(label) if label in labels else 0.0
        precisions.append(precision)
        recalls.append(recall)
        f1s.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    result = {
        'accuracy': sum(guess == truth for guess, truth in zip(guesses, labels, strict=True)) / n,
        'balanced_accuracy': sum(recalls) / len(set(labels)),
        'macro_precision': sum(precisions) / len(precisions),
        'macro_f1': sum(f1s) / len(f1s),
        'log_loss': -sum(math.log(row[truth]) for row, truth in zip(rows, labels, strict=True)) / n,
        'calibration_error': error_by_loop(chances, truths, bins),
    }
    if k < chances.shape[1]:
        result[f'top_{k}_accuracy'] = sum(t in order[:k] for order, t in zip(orders, labels, strict=True)) / n
    return result


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('array', ['logits', 'probabilities'])
def test_metrics_against_a_loop(save, case: str, array: str):
    logits, labels = CASES[case]
    chances = special.softmax(logits.astype(np.float64), axis=1)
    if array == 'probabilities':
        # As stored: rounded. Of them the loop has to take the same, and not the smallest for 0.
        chances = np.maximum(chances, 1e-6).astype(np.float32)
    result = outputs.read(save(logits if array == 'logits' else chances, labels, array=array))
    measured = ClassificationEvaluation((2,), 15).report(result, BOOTSTRAP).metrics
    expected = slow_metrics(chances.astype(np.float64), labels, 2, 15)
    assert {name: measured[name].value for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('case', CASES)
def test_metrics_against_scikit_learn(save, case: str):
    logits, labels = CASES[case]
    chances, guesses = special.softmax(logits.astype(np.float64), axis=1), logits.argmax(axis=1)
    result = ClassificationEvaluation((2,), 15).report(outputs.read(save(logits, labels)), BOOTSTRAP).metrics
    over: dict[str, Any] = {'average': 'macro', 'zero_division': 0.0}
    expected = {
        'accuracy': metrics.accuracy_score(labels, guesses),
        'balanced_accuracy': metrics.recall_score(labels, guesses, labels=np.unique(labels), **over),
        'macro_precision': metrics.precision_score(labels, guesses, **over),
        'macro_f1': metrics.f1_score(labels, guesses, **over),
    }
    if logits.shape[1] > 2:  # of fewer classes scikit-learn has neither
        every = range(logits.shape[1])
        expected['log_loss'] = metrics.log_loss(labels, chances, labels=every)
        if 'equal' not in case and case != 'ties':  # of equals it takes the last first
            expected['top_2_accuracy'] = metrics.top_k_accuracy_score(labels, logits, k=2, labels=every)
    assert {name: result[name].value for name in expected} == pytest.approx(expected, abs=1e-6)


def test_probabilities_of_0_and_1(save):
    """What is given no chance at all costs as much as in scikit-learn, not infinity."""
    chances, labels = certain(9)
    result = outputs.read(save(chances, labels, array='probabilities'))
    value = ClassificationEvaluation((2,), 15).report(result, BOOTSTRAP).metrics['log_loss'].value
    assert value == pytest.approx(metrics.log_loss(labels, chances), abs=1e-6)


def error_by_loop(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    confidences, error = probabilities.max(axis=1).astype(float), 0.0
    for group in range(bins):
        inside = bin_of(confidences, bins) == group
        right = (probabilities.argmax(axis=1) == labels)[inside]
        error += abs(right.sum() - confidences[inside].sum())
    return error / len(labels)


def test_one_example(save):
    report = ClassificationEvaluation((5,), 15).report(outputs.read(save([[3, 0, 1]], [0])), BOOTSTRAP)
    accuracy = report.metrics['accuracy']
    assert (accuracy.value, tuple(accuracy.interval)) == (1, (1, 1))


def test_intervals_hold_the_value_and_narrow_with_examples(save):
    widths = []
    for examples in (50, 5000):
        result = outputs.read(save(*random_logits(9, examples=examples), name=str(examples)))
        measured = ClassificationEvaluation((2,), 15).report(result, BOOTSTRAP).metrics
        low, high = measured['accuracy'].interval
        assert low < measured['accuracy'].value < high
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.25)


@pytest.mark.parametrize(('top_k', 'expected'), [((2, 3), [2, 3]), ((4, 5), []), ((), [])])
def test_top_k_where_there_are_more_classes(save, top_k: tuple[int, ...], expected: list[int]):
    measured = (
        ClassificationEvaluation(top_k, 15).report(outputs.read(save(*random_logits(1))), BOOTSTRAP).metrics
    )
    assert [name for name in measured if name.startswith('top')] == [f'top_{k}_accuracy' for k in expected]


def test_per_class_table(save):
    result = outputs.read(save(*random_logits(2, missing=(1,))))
    table = ClassificationEvaluation((5,), 15).report(result, BOOTSTRAP).tables['per_class']
    assert table.columns.tolist() == ['precision', 'recall', 'f1', 'support', 'f1_low', 'f1_high']
    assert table['support'].tolist()[1] == 0
    assert table.loc['1', ['recall', 'f1']].tolist() == [0, 0]  # it is predicted, but never true
    low, value, high = table[['f1_low', 'f1', 'f1_high']].to_numpy().T
    assert (low <= value).all()
    assert (value <= high).all()


def test_every_metric_says_what_it_is(save):
    report = ClassificationEvaluation((2,), 15).report(outputs.read(save(*random_logits(2))), BOOTSTRAP)
    for metric in report.metrics.values():
        assert metric.definition.direction in ('higher', 'lower')
        assert metric.definition.unit
        assert metric.definition.definition.endswith('.')
        assert metric.definition.source
    assert set(report.headline) <= set(report.metrics)


def test_scores_of_each_example(save):
    logits, labels = random_logits(3)
    result = outputs.read(save(logits, labels))
    table = ClassificationEvaluation((), 5).report(result, BOOTSTRAP).tables['per_example']
    assert table['log_loss'].is_monotonic_decreasing
    by_id = table.loc[[f'example {index}' for index in range(len(labels))]]
    assert by_id['label'].tolist() == [str(label) for label in labels]
    assert by_id['prediction'].tolist() == [str(each) for each in logits.argmax(1)]
    np.testing.assert_array_equal(by_id['rank'] == 0, logits.argmax(1) == labels)


def test_of_many_classes_there_is_no_table_of_all_pairs(save, monkeypatch: pytest.MonkeyPatch):
    result = outputs.read(save(*random_logits(1)))
    few = ClassificationEvaluation((), 15).report(result, BOOTSTRAP)
    monkeypatch.setattr('engine.kinds.classification.mistakes.MAX_MATRIX_CLASSES', 3)
    many = ClassificationEvaluation((), 15).report(result, BOOTSTRAP)
    assert few.tables.keys() - many.tables.keys() == {'confusion_matrix'}
    assert few.figures.keys() == many.figures.keys()  # the matrix shows the classes that are confused most


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ({'calibration_bins': 0}, 'ClassificationEvaluation.calibration_bins = 0: it must be at least 1'),
        ({'top_k': (5, 0)}, r'ClassificationEvaluation.top_k = \(5, 0\): each k must be at least 1'),
    ],
)
def test_settings_that_make_no_sense(setting: dict, message: str):
    with pytest.raises(UserError, match=message):
        ClassificationEvaluation(**setting)
