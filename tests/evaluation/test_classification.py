import numpy as np
import pytest
from sklearn import metrics

from research import outputs
from research.evaluation import classification
from research.evaluation.bootstrap import Bootstrap
from research.evaluation.calibration import bin_of
from research.evaluation.classification import Classification
from research.evaluation.predicted import Predicted, read_predicted

from .cases import random_case

BOOTSTRAP = Bootstrap(draws=200, confidence=0.95, seed=0)


def taken(predicted: Predicted, indices: np.ndarray) -> Predicted:
    fields = ('labels', 'predictions', 'confidences', 'ranks', 'log_losses')
    return Predicted(
        **{name: getattr(predicted, name)[indices] for name in fields}, class_names=predicted.class_names
    )


@pytest.mark.parametrize('missing', [(), (1, 3)])
def test_each_draw_is_what_the_metrics_say_of_that_resample(save, missing: tuple[int, ...]):
    """The fast sums against the slow way: take the resampled examples and measure them."""
    predicted = read_predicted(outputs.read(save(*random_case(5, examples=25, missing=missing))))
    draws = classification.resample(predicted, [2, 3], 5, BOOTSTRAP)
    resamples = np.concatenate(list(BOOTSTRAP._resamples(25)))
    for draw, counts in enumerate(resamples.astype(int)):
        expected = classification.measure(taken(predicted, np.repeat(np.arange(25), counts)), [2, 3], 5)
        assert {name: draws[name][draw] for name in expected} == pytest.approx(expected)


def test_measures_agree_with_scikit_learn(save):
    logits, labels = random_case(6)
    predicted = read_predicted(outputs.read(save(logits, labels)))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    guesses = logits.argmax(axis=1)
    values = classification.measure(predicted, [2], 15)
    assert values == pytest.approx(
        {
            'accuracy': metrics.accuracy_score(labels, guesses),
            'balanced_accuracy': metrics.balanced_accuracy_score(labels, guesses),
            'top_2_accuracy': metrics.top_k_accuracy_score(labels, logits, k=2),
            'macro_precision': metrics.precision_score(labels, guesses, average='macro'),
            'macro_f1': metrics.f1_score(labels, guesses, average='macro'),
            'log_loss': metrics.log_loss(labels, probabilities),
            'calibration_error': error_by_loop(probabilities, labels, 15),
        },
        rel=1e-5,
    )


def error_by_loop(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    confidences, error = probabilities.max(axis=1).astype(float), 0.0
    for group in range(bins):
        inside = bin_of(confidences, bins) == group
        right = (probabilities.argmax(axis=1) == labels)[inside]
        error += abs(right.sum() - confidences[inside].sum())
    return error / len(labels)


def test_one_example(save):
    report = Classification((5,), 15).report(outputs.read(save([[3, 0, 1]], [0])), BOOTSTRAP)
    accuracy = report.metrics['accuracy']
    assert (accuracy.value, tuple(accuracy.interval)) == (1, (1, 1))


def test_intervals_hold_the_value_and_narrow_with_examples(save):
    widths = []
    for examples in (50, 5000):
        found = outputs.read(save(*random_case(9, examples=examples), name=str(examples)))
        measured = Classification((2,), 15).report(found, BOOTSTRAP).metrics
        low, high = measured['accuracy'].interval
        assert low < measured['accuracy'].value < high
        widths.append(high - low)
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.25)


@pytest.mark.parametrize(('top_k', 'expected'), [((2, 3), [2, 3]), ((4, 5), []), ((), [])])
def test_top_k_where_there_are_more_classes(save, top_k: tuple[int, ...], expected: list[int]):
    measured = Classification(top_k, 15).report(outputs.read(save(*random_case(1))), BOOTSTRAP).metrics
    assert [name for name in measured if name.startswith('top')] == [f'top_{k}_accuracy' for k in expected]


def test_per_class_table(save):
    found = outputs.read(save(*random_case(2, missing=(1,))))
    table = Classification((5,), 15).report(found, BOOTSTRAP).tables['per_class']
    assert table.columns.tolist() == ['precision', 'recall', 'f1', 'support', 'f1_low', 'f1_high']
    assert table['support'].tolist()[1] == 0
    assert table['f1'].isna().tolist() == table['f1_low'].isna().tolist() == [False, True, False, False]
    low, value, high = table[['f1_low', 'f1', 'f1_high']].dropna().to_numpy().T
    assert (low <= value).all()
    assert (value <= high).all()


def test_every_metric_says_what_it_is(save):
    report = Classification((2,), 15).report(outputs.read(save(*random_case(2))), BOOTSTRAP)
    for metric in report.metrics.values():
        assert metric.definition.direction in ('higher', 'lower')
        assert metric.definition.unit in ('fraction', 'nats')
        assert metric.definition.definition.endswith('.')
        assert metric.definition.source
    assert set(report.headline) <= set(report.metrics)


def test_scores_of_each_example(save):
    logits, labels = random_case(3)
    found = outputs.read(save(logits, labels))
    table = Classification((), 5).report(found, BOOTSTRAP).tables['per_example']
    assert table['log_loss'].is_monotonic_decreasing
    by_id = table.loc[[f'example {index}' for index in range(len(labels))]]
    assert by_id['label'].tolist() == [str(label) for label in labels]
    assert by_id['prediction'].tolist() == [str(each) for each in logits.argmax(1)]
    np.testing.assert_array_equal(by_id['rank'] == 0, logits.argmax(1) == labels)
