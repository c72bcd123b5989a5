"""Reads predicted classes and labels, and what metrics need to know of probabilities.

The scores may be far larger than memory. Several threads read them once, in blocks of rows.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from scipy import special

from engine.errors import UserError
from engine.evaluation.kind_evaluation import require
from engine.kinds.classification import predicted_classes
from engine.kinds.classification.class_predictions import ClassPredictions, ProbabilityFacts
from engine.kinds.classification.float16 import widened
from engine.outputs.outputs import Outputs

# Scores per block: enough to hide the cost of a call, and little memory.
_BLOCK_SCORES = 2**18
_THREADS = min(8, os.cpu_count() or 1)
# Largest distance of the sum of probabilities from 1: a few rounding errors of the dtype.
_TOLERANCES = {'float16': 1e-2, 'float32': 1e-3, 'float64': 1e-3}


def read_predictions(outputs: Outputs) -> ClassPredictions:
    """Reads predictions and labels of outputs of kind `classification`.

    Raises:
      UserError: the labels are missing, or the predictions are not finite or not probabilities.
    """
    require(outputs, 'labels')
    name, labels = scores_name(outputs), np.asarray(outputs.arrays['labels'])
    if not name:
        predictions = np.asarray(predicted_classes(outputs.arrays))
        return ClassPredictions(
            labels, predictions, _names(outputs, 1 + max(predictions.max(), labels.max()))
        )
    scores = outputs.arrays[name]
    read = _in_blocks(
        _of_logits if name == 'logits' else partial(_of_probabilities, _smallest_probability(scores)),
        scores,
        labels,
    )
    _check_finite(outputs, name, read['finite'])
    if name == 'probabilities':
        _check_probabilities(outputs, read['sums'], read['negative'])
    facts = ProbabilityFacts(
        np.exp(read['best_logs']), read['ranks'], -read['label_logs'], read['brier_scores']
    )
    return ClassPredictions(labels, read['predictions'], _names(outputs, scores.shape[1]), facts)


def scores_name(outputs: Outputs) -> str:
    """Returns the name of the array with scores of all classes; '' if there is none."""
    return next((name for name in ('logits', 'probabilities') if name in outputs.arrays), '')


def _smallest_probability(scores: np.ndarray) -> float:
    """Returns where log loss clips probabilities: the machine epsilon of their dtype, as in scikit-learn.

    float16 is clipped like float32: its own epsilon is 0.001.
    """
    return float(np.finfo(np.promote_types(scores.dtype, np.float32)).eps)


def probabilities(outputs: Outputs) -> np.ndarray:
    """Returns the probabilities of all classes, f64 [n, classes], from logits by softmax."""
    name = scores_name(outputs)
    scores = outputs.arrays[name].astype(np.float64)
    return special.softmax(scores, axis=1) if name == 'logits' else scores


def label_ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the number of classes before the label: more probable, or equally probable with a lower index.

    Args:
      scores: logits or probabilities [n, classes].
      labels: int [n].

    Returns:
      int [n]; 0 where the label is the prediction.
    """
    labels = labels[:, np.newaxis]
    own = np.take_along_axis(scores, labels, axis=1)
    earlier = np.arange(scores.shape[1], dtype=labels.dtype) < labels
    return ((scores > own) | ((scores == own) & earlier)).sum(axis=1)


def _in_blocks(
    read: Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]], scores: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Applies `read` to blocks of scores [rows, classes] and labels [rows]; joins its arrays to [n]."""
    rows = max(1, _BLOCK_SCORES // scores.shape[1])

    def block(start: int) -> dict[str, np.ndarray]:
        part = slice(start, start + rows)
        with np.errstate(invalid='ignore'):  # of infinities, which are checked afterwards
            return read(_widened(np.asarray(scores[part])), labels[part])

    with ThreadPoolExecutor(_THREADS) as threads:
        blocks = list(threads.map(block, range(0, len(labels), rows)))
    return {name: np.concatenate([arrays[name] for arrays in blocks]) for name in blocks[0]}


def _widened(scores: np.ndarray) -> np.ndarray:
    """Returns scores in a wider dtype for computation: f32 for f16, f64 for f32."""
    return widened(scores) if scores.dtype == np.float16 else scores.astype(np.float64)


def _of_logits(logits: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the numbers that are needed of each row of logits. Overwrites the logits."""
    predictions = logits.argmax(axis=1)
    best, own = _column(logits, predictions), _column(logits, labels)
    finite = np.isfinite(best[:, 0]) & np.isfinite(logits.min(axis=1))
    ranks = _ranks(logits, labels, predictions)
    # In place, because allocating memory for each block can take longer than the exponentials.
    logits -= best
    sums = np.exp(logits, out=logits).sum(axis=1, keepdims=True)
    log_sums = np.log(sums.astype(np.float64))
    logits /= sums
    return {
        'predictions': predictions,
        'ranks': ranks,
        'best_logs': -log_sums[:, 0],
        'label_logs': (own - best - log_sums)[:, 0],
        'brier_scores': _brier_scores(logits, labels),
        'finite': finite,
    }


def _of_probabilities(
    smallest: float, probabilities: np.ndarray, labels: np.ndarray
) -> dict[str, np.ndarray]:
    """Returns the numbers that are needed of each row of probabilities. Overwrites the probabilities."""
    predictions = probabilities.argmax(axis=1)
    best, least = _column(probabilities, predictions)[:, 0], probabilities.min(axis=1)
    return {
        'predictions': predictions,
        'ranks': _ranks(probabilities, labels, predictions),
        'best_logs': _logs(best, smallest),
        'label_logs': _logs(_column(probabilities, labels)[:, 0], smallest),
        'finite': np.isfinite(best) & np.isfinite(least),
        'sums': probabilities.sum(axis=1, dtype=np.float64),
        'negative': least < 0,
        'brier_scores': _brier_scores(probabilities, labels),
    }


def _brier_scores(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the squared error of each row, f64 [rows]: of the second of two classes, else of all classes.

    Overwrites the probabilities.
    """
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1].astype(np.float64) - labels) ** 2
    probabilities[np.arange(len(labels)), labels] -= 1
    return np.einsum('ij,ij->i', probabilities, probabilities, dtype=np.float64)


def _ranks(scores: np.ndarray, labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Returns `label_ranks`. Skips rows whose label is the prediction, because their rank is 0."""
    ranks, wrong = np.zeros(len(labels), np.int64), labels != predictions
    ranks[wrong] = label_ranks(scores[wrong], labels[wrong])
    return ranks


def _column(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Returns the score [rows, 1] of one class in each row. For the argmax it is NaN if a score is NaN."""
    return np.take_along_axis(scores, classes[:, np.newaxis], axis=1)


def _logs(probabilities: np.ndarray, smallest: float) -> np.ndarray:
    return np.log(np.clip(probabilities.astype(np.float64), smallest, 1 - smallest))


def _names(outputs: Outputs, classes: int) -> tuple[str, ...]:
    return outputs.class_names or tuple(str(index) for index in range(classes))


def _check_finite(outputs: Outputs, name: str, finite: np.ndarray) -> None:
    bad = np.flatnonzero(~finite)
    if bad.size:
        raise UserError(
            f'{outputs.folder}: {name}.npy holds NaN or infinity for {bad.size} of {len(finite)} examples, '
            f'the first of them {outputs.ids[bad[0]]!r}. Look for where the model diverged.'
        )


def _check_probabilities(outputs: Outputs, sums: np.ndarray, negative: np.ndarray) -> None:
    tolerance = _TOLERANCES[str(outputs.arrays['probabilities'].dtype)]
    bad = np.flatnonzero((np.abs(sums - 1) > tolerance) | negative)
    if bad.size:
        raise UserError(
            f'{outputs.folder}: probabilities.npy: those of example {outputs.ids[bad[0]]!r} sum to '
            f'{sums[bad[0]]:.4g} or are below 0 ({bad.size} such examples). Write logits.npy instead, or '
            'probabilities that sum to 1.'
        )
