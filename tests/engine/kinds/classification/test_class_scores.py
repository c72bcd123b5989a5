import numpy as np
import pytest
import sklearn.metrics

from engine import outputs
from engine.kinds.classification import class_scores, mistakes
from engine.kinds.classification.class_predictions import ClassPredictions
from engine.kinds.classification.class_probabilities import read_predictions
from tests.engine.random_logits import random_logits


@pytest.fixture(params=[(), (1,), (0, 2)], ids=str)
def predicted(request: pytest.FixtureRequest, save) -> ClassPredictions:
    """Predictions in which classes are missing among the labels, though they are predicted."""
    return read_predictions(outputs.read(save(*random_logits(7, missing=request.param))))


def slow_scores(predicted: ClassPredictions, label: int) -> tuple[float, float, float, int]:
    pairs = list(zip(predicted.labels, predicted.predictions, strict=True))
    hits = sum(truth == label and guess == label for truth, guess in pairs)
    support = sum(truth == label for truth, _ in pairs)
    guessed = sum(guess == label for _, guess in pairs)
    if not support and not guessed:
        return np.nan, np.nan, np.nan, 0
    precision, recall = hits / guessed if guessed else 0.0, hits / support if support else 0.0
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0, support


def test_table_against_a_loop(predicted: ClassPredictions):
    table = class_scores.table(predicted)
    for label in range(4):
        np.testing.assert_allclose(table.iloc[label].to_numpy(), slow_scores(predicted, label))


def test_scores_agree_with_scikit_learn_on_weighted_examples(predicted: ClassPredictions):
    counts = np.random.default_rng(0).integers(3, size=60)
    sums = {name: counts @ matrix for name, matrix in class_scores.features(predicted).items()}
    scores = class_scores.of_classes(class_scores.Totals(**sums))
    drawn = counts > 0
    occurring = np.union1d(predicted.labels[drawn], predicted.predictions[drawn])
    precision, recall, f1, support = sklearn.metrics.precision_recall_fscore_support(
        predicted.labels,
        predicted.predictions,
        labels=np.arange(4),
        sample_weight=counts,
        zero_division=0.0,  # pyright: ignore[reportArgumentType]
    )
    np.testing.assert_array_equal(sums['support'], support)
    for name, expected in (('precision', precision), ('recall', recall), ('f1', f1)):
        np.testing.assert_allclose(scores[name][occurring], np.asarray(expected)[occurring])
        assert np.isnan(np.delete(scores[name], occurring)).all()


def test_a_class_never_predicted_one_never_true_and_one_absent():
    total = class_scores.Totals(np.array([2.0, 0, 0, 0]), np.array([2.0, 3, 0, 0]), np.array([4.0, 0, 1, 0]))
    scores = class_scores.of_classes(total)
    np.testing.assert_equal(scores['precision'], [0.5, 0, 0, np.nan])
    np.testing.assert_equal(scores['recall'], [1, 0, 0, np.nan])
    np.testing.assert_equal(scores['f1'], [2 / 3, 0, 0, np.nan])
    metrics = class_scores.metrics(total)
    assert metrics['macro_f1'] == pytest.approx(2 / 9)
    assert metrics['balanced_accuracy'] == 0.5  # over the two classes that are true


def test_confusion_against_a_loop_and_scikit_learn(predicted: ClassPredictions):
    counts = mistakes.confusion_counts(predicted)
    table = mistakes.tables(counts, predicted.class_names)['confusion_matrix']
    expected = np.zeros((4, 4), int)
    for truth, guess in zip(predicted.labels, predicted.predictions, strict=True):
        expected[truth, guess] += 1
    np.testing.assert_array_equal(table.to_numpy(), expected)
    by_library = sklearn.metrics.confusion_matrix(predicted.labels, predicted.predictions, labels=range(4))
    np.testing.assert_array_equal(table.to_numpy(), by_library)
    assert table.index.tolist() == table.columns.tolist() == ['0', '1', '2', '3']
