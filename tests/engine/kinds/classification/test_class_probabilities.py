import math
import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from engine import outputs
from engine.errors import UserError
from engine.kinds.classification.class_probabilities import label_ranks, read_predictions
from tests.engine.random_logits import random_logits


def read(folder) -> Any:
    """Returns the predictions and the facts about their probabilities in one object."""
    predicted = read_predictions(outputs.read(folder))
    return SimpleNamespace(**vars(predicted), **vars(predicted.probable), correct=predicted.correct)


@pytest.mark.parametrize('missing', [(), (0, 2)])
def test_logits_against_a_loop(save, missing: tuple[int, ...]):
    logits, labels = random_logits(0, missing=missing)
    predicted = read(save(logits, labels))
    for index, (row, label) in enumerate(zip(logits.tolist(), labels, strict=True)):
        powers = [math.exp(z) for z in row]
        assert predicted.predictions[index] == row.index(max(row))
        assert predicted.confidences[index] == pytest.approx(max(powers) / sum(powers))
        assert predicted.log_losses[index] == pytest.approx(-math.log(powers[label] / sum(powers)))
        assert predicted.correct[index] == (row.index(max(row)) == label)


def test_log_loss_agrees_with_scikit_learn(save):
    logits, labels = random_logits(1)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities[3] = np.eye(4)[0]
    for array, scores in (('probabilities', probabilities), ('logits', np.log(probabilities + 1e-30))):
        predicted = read(save(scores, labels, array=array, name=array))
        expected = metrics.log_loss(labels[np.arange(60) != 3], probabilities[np.arange(60) != 3])
        assert np.delete(predicted.log_losses, 3).mean() == pytest.approx(expected, rel=1e-5)
    predicted = read(save(probabilities, labels, array='probabilities', name='all'))
    assert predicted.log_losses.mean() == pytest.approx(metrics.log_loss(labels, probabilities), rel=1e-5)


def test_logits_far_apart_stay_finite(save):
    predicted = read(save([[2000, 0], [-2000, 3000]], [0, 0]))
    assert predicted.log_losses == pytest.approx([0, 5000])
    assert predicted.confidences == pytest.approx([1, 1])


def test_a_probability_of_zero_stays_finite(save):
    predicted = read(save([[0, 1], [1, 0]], [0, 0], array='probabilities'))
    assert predicted.log_losses == pytest.approx([-math.log(np.finfo(np.float32).eps), 0], abs=1e-6)


FIELDS = ('labels', 'predictions', 'confidences', 'ranks', 'log_losses', 'brier_scores')


@pytest.mark.parametrize('array', ['logits', 'probabilities'])
def test_float16_is_read_as_the_numbers_that_it_holds(save, array: str):
    logits, labels = random_logits(4, classes=10)
    scores = logits if array == 'logits' else special.softmax(logits, axis=1)
    half = scores.astype(np.float16)
    result = read(save(half, labels, array=array, dtype='float16', name='half'))
    same = read(save(half, labels, array=array, name='whole')) if array == 'logits' else result
    exact = read(save(scores, labels, array=array, name='exact'))
    for name in FIELDS:
        np.testing.assert_allclose(getattr(result, name), getattr(same, name), rtol=3e-7, err_msg=name)
    np.testing.assert_allclose(result.log_losses, exact.log_losses, atol=3e-3)


def test_a_small_float16_probability_counts_as_what_it_is(save):
    small = np.float16(1e-5)
    predicted = read(save([[1, small]], [1], array='probabilities', dtype='float16'))
    assert predicted.log_losses == pytest.approx([-math.log(small)])


@pytest.mark.parametrize('classes', [2, 3, 7])
@pytest.mark.parametrize('array', ['logits', 'probabilities'])
def test_float64_is_kept_and_gives_the_numbers_of_scikit_learn(save, classes: int, array: str):
    logits, labels = random_logits(4, classes=classes)
    chances = special.softmax(3.3 * logits.astype(np.float64), axis=1)
    chances[5] = np.eye(classes)[labels[5] - 1]  # certain and wrong: clipped at the epsilon of float64
    scores = chances if array == 'probabilities' else 3.3 * logits.astype(np.float64)
    predicted = read(save(scores, labels, array=array, dtype='float64'))
    rows = np.arange(60) if array == 'probabilities' else np.delete(np.arange(60), 5)
    log_loss = metrics.log_loss(labels[rows], chances[rows], labels=range(classes))
    assert predicted.log_losses[rows].mean() == pytest.approx(log_loss, abs=1e-9)
    columns = chances[rows, 1] if classes == 2 else chances[rows]
    brier = metrics.brier_score_loss(labels[rows], columns, labels=range(classes))
    assert predicted.brier_scores[rows].mean() == pytest.approx(brier, abs=1e-9)


@pytest.mark.parametrize('array', ['logits', 'probabilities'])
def test_blocks_and_threads_change_nothing(save, monkeypatch: pytest.MonkeyPatch, array: str):
    logits, labels = random_logits(5)
    scores = logits if array == 'logits' else special.softmax(logits, axis=1)
    folder = save(scores, labels, array=array)
    whole = read(folder)
    monkeypatch.setattr('engine.kinds.classification.class_probabilities._BLOCK_SCORES', 7 * 4)
    monkeypatch.setattr('engine.kinds.classification.class_probabilities._THREADS', 3)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(read(folder), name), getattr(whole, name))
    monkeypatch.setattr('engine.kinds.classification.class_probabilities._BLOCK_SCORES', 1)
    np.testing.assert_array_equal(read(folder).log_losses, whole.log_losses)


def test_memory_is_that_of_a_block(save, monkeypatch: pytest.MonkeyPatch):
    logits, labels = random_logits(6, examples=10_000, classes=200)
    result = outputs.read(save(logits, labels, dtype='float16'))
    monkeypatch.setattr('engine.kinds.classification.class_probabilities._BLOCK_SCORES', 2**12)
    tracemalloc.start()
    read_predictions(result)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < result.arrays['logits'].nbytes / 2


@pytest.mark.parametrize('seed', range(3))
def test_ranks_against_a_loop_with_ties(seed: int):
    random = np.random.default_rng(seed)
    scores, labels = random.integers(3, size=(50, 5)).astype(np.float32), random.integers(5, size=50)
    for row, label, rank in zip(scores.tolist(), labels, label_ranks(scores, labels), strict=True):
        order = sorted(range(5), key=lambda index: (-row[index], index))
        assert order.index(label) == rank
    assert ((label_ranks(scores, labels) == 0) == (scores.argmax(axis=1) == labels)).all()


def test_ranks_agree_with_scikit_learn():
    logits, labels = random_logits(2, classes=7)
    for k in (1, 2, 5):
        expected = metrics.top_k_accuracy_score(labels, logits, k=k, labels=range(7))
        assert (label_ranks(logits, labels) < k).mean() == pytest.approx(expected)


def test_names_of_classes(save):
    assert read(save([[1, 2]], [0], name='a')).class_names == ('0', '1')
    assert read(save([[1, 2]], [0], name='b', class_names=('cat', 'dog'))).class_names == ('cat', 'dog')


@pytest.mark.parametrize('dtype', [np.int64, np.uint8, np.float64, bool])
def test_predicted_classes_alone(save, dtype: type):
    predicted = read_predictions(outputs.read(save([0, 1, 1], [0, 1, 0], array='predicted', dtype=dtype)))
    assert predicted.correct.tolist() == [True, True, False]
    assert predicted.predictions.dtype == np.int32
    assert predicted.probable is None
    assert predicted.class_names == ('0', '1')


def test_no_labels(save):
    with pytest.raises(UserError, match=r'no labels\.npy, so there is nothing to compare'):
        read(save([[1, 2]]))


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_not_finite(save, bad: float):
    logits, labels = random_logits(3)
    logits[[5, 9], 1] = bad
    with pytest.raises(
        UserError, match=r"logits\.npy .* for 2 of 60 examples, the first of them 'example 5'"
    ):
        read(save(logits, labels))


@pytest.mark.parametrize('row', [[0.5, 0.6], [1.5, -0.5], [2, 3]])
def test_no_probabilities(save, row: list[float]):
    with pytest.raises(UserError, match=r"probabilities\.npy: those of example 'example 1' sum to"):
        read(save([[0.5, 0.5], row], [0, 1], array='probabilities'))


@pytest.mark.parametrize(('dtype', 'too_far'), [('float16', 0.02), ('float32', 0.002)])
def test_probabilities_sum_to_1_but_for_their_precision(save, dtype: str, too_far: float):
    thousand = np.random.default_rng(0).dirichlet(np.full(1000, 0.1), size=20)
    read(save(thousand, np.zeros(20), array='probabilities', dtype=dtype, name='fine'))
    with pytest.raises(UserError, match=r"those of example 'example 0' sum to"):
        read(save([[0.5, 0.5 + too_far]], [0], array='probabilities', dtype=dtype))
