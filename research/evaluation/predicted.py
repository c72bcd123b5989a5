"""Predicted classes beside the labels: all that the metrics of a classification are made of."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from research.errors import UserError
from research.outputs import Outputs


@dataclass(frozen=True)
class Predicted:
    """Predictions beside their labels.

    Attributes:
      labels: true class, int [n].
      predictions: most probable class, int [n]; of equal ones the first.
      confidences: its probability, f64 [n].
      ranks: how many classes come before the label, from the most probable on, int [n].
      log_losses: -ln of the label's probability, f64 [n].
      class_names: one per class.
    """

    labels: np.ndarray
    predictions: np.ndarray
    confidences: np.ndarray
    ranks: np.ndarray
    log_losses: np.ndarray
    class_names: tuple[str, ...]

    @property
    def correct(self) -> np.ndarray:
        """Whether each prediction is the label, bool [n]."""
        return self.predictions == self.labels

    @property
    def present(self) -> np.ndarray:
        """The classes that occur among the labels, in order."""
        return np.unique(self.labels)


def read_predicted(found: Outputs) -> Predicted:
    """Takes predictions and labels from outputs of kind `classification`.

    Raises:
      UserError: the labels are missing, or the predictions are not finite or no probabilities.
    """
    if 'labels' not in found.arrays:
        raise UserError(
            f'{found.folder}: no labels.npy, so there is nothing to compare the predictions with. '
            'Evaluate a split whose labels are known; the predictions themselves are in predictions.csv.'
        )
    name = 'logits' if 'logits' in found.arrays else 'probabilities'
    labels, scores = np.asarray(found.arrays['labels']), np.asarray(found.arrays[name])
    _check_finite(found, name, scores)
    if name == 'probabilities':
        _check_probabilities(found, scores)
    logs = special.log_softmax(scores.astype(np.float64), axis=1) if name == 'logits' else _logs(scores)
    return Predicted(
        labels=labels,
        predictions=scores.argmax(axis=1),
        confidences=np.exp(logs.max(axis=1)),
        ranks=label_ranks(scores, labels),
        log_losses=-logs[np.arange(len(labels)), labels],
        class_names=found.class_names or tuple(str(index) for index in range(scores.shape[1])),
    )


def label_ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts the classes that come before the label: more probable ones, and of equal ones those before it.

    Args:
      scores: logits or probabilities [n, classes].
      labels: int [n].

    Returns:
      int [n]; 0 where the label is the prediction.
    """
    labels = labels[:, np.newaxis]
    own = np.take_along_axis(scores, labels, axis=1)
    earlier = np.arange(scores.shape[1]) < labels
    return ((scores > own) | ((scores == own) & earlier)).sum(axis=1)


def _logs(probabilities: np.ndarray) -> np.ndarray:
    """Returns logarithms, f64; as in scikit-learn, 0 counts as the smallest step of its dtype: 1.2e-7."""
    smallest = np.finfo(probabilities.dtype).eps
    return np.log(np.clip(probabilities, smallest, 1 - smallest).astype(np.float64))


def _check_finite(found: Outputs, name: str, scores: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if bad.size:
        raise UserError(
            f'{found.folder}: {name}.npy holds NaN or infinity for {bad.size} of {len(scores)} examples, '
            f'the first of them {found.ids[bad[0]]!r}. Look for where the model diverged.'
        )


def _check_probabilities(found: Outputs, probabilities: np.ndarray) -> None:
    sums = probabilities.sum(axis=1, dtype=np.float64)
    bad = np.flatnonzero((np.abs(sums - 1) > 1e-3) | (probabilities.min(axis=1) < 0))
    if bad.size:
        raise UserError(
            f'{found.folder}: probabilities.npy: those of example {found.ids[bad[0]]!r} sum to '
            f'{sums[bad[0]]:.4g} or are below 0 ({bad.size} such examples). Write logits.npy instead, or '
            'probabilities that sum to 1.'
        )
