"""Probabilities and labels of outputs of kind `multilabel`, read and checked."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.errors import UserError
from engine.evaluation.kind_evaluation import require
from engine.evaluation.submissions import class_names
from engine.kinds.multilabel import MISSING, class_probabilities
from engine.outputs.outputs import Outputs


@dataclass(frozen=True)
class LabelSets:
    """What metrics need to know of outputs.

    Attributes:
      scores: logits or probabilities as they were saved, [n, classes]. They rank the examples.
      probabilities: f64 [n, classes].
      known: which labels are known, bool [n, classes].
      positive: which labels are known and true, bool [n, classes].
      losses: binary cross-entropy of each label in nats, f64 [n, classes]; 0 for unknown ones.
      threshold: the probability from which on a class is predicted.
      class_names: one per class.
    """

    scores: np.ndarray
    probabilities: np.ndarray
    known: np.ndarray
    positive: np.ndarray
    losses: np.ndarray
    threshold: float
    class_names: tuple[str, ...]

    @cached_property
    def predicted(self) -> np.ndarray:
        """Which known labels are predicted as true, bool [n, classes]."""
        return self.known & (self.probabilities >= self.threshold)

    @cached_property
    def hits(self) -> np.ndarray:
        """Which labels are true and predicted, bool [n, classes]."""
        return self.predicted & self.positive


def read(outputs: Outputs, threshold: float) -> LabelSets:
    """Reads outputs of kind `multilabel`.

    Raises:
      UserError: there are no targets, no known labels, or numbers that are not what they should be.
    """
    require(outputs, 'targets')
    targets = np.asarray(outputs.arrays['targets'])
    _check_targets(outputs, targets)
    name = scores_name(outputs)
    scores = np.asarray(outputs.arrays[name])
    _check_scores(outputs, name, scores)
    known, positive = targets != MISSING, targets == 1
    return LabelSets(
        scores,
        class_probabilities(outputs.arrays),
        known,
        positive,
        np.where(known, _losses(name, scores, positive), 0.0),
        threshold,
        class_names(outputs, targets.shape[1]),
    )


def scores_name(outputs: Outputs) -> str:
    """Returns the name of the array that holds the scores of the classes."""
    return 'logits' if 'logits' in outputs.arrays else 'probabilities'


def _check_targets(outputs: Outputs, targets: np.ndarray) -> None:
    rows, columns = np.nonzero((targets < MISSING) | (targets > 1))
    if rows.size:
        raise UserError(
            f'{outputs.folder}: targets.npy holds {targets[rows[0], columns[0]]} for the example '
            f'{outputs.ids[rows[0]]!r}, but 1 (it has the class), 0 (it does not) and -1 (unknown) are the '
            'only labels.'
        )
    if not (targets != MISSING).any():
        raise UserError(
            f'{outputs.folder}: targets.npy holds no known label: all are -1. Give labels by --labels.'
        )


def _check_scores(outputs: Outputs, name: str, scores: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if bad.size:
        raise UserError(
            f'{outputs.folder}: {name}.npy holds NaN or infinity for {bad.size} of {len(scores)} examples, '
            f'the first of them {outputs.ids[bad[0]]!r}. Look for where the model diverged.'
        )
    rows, columns = np.nonzero((scores < 0) | (scores > 1))
    if name == 'probabilities' and rows.size:
        raise UserError(
            f'{outputs.folder}: probabilities.npy holds {scores[rows[0], columns[0]]:.4g} for the example '
            f'{outputs.ids[rows[0]]!r}, but probabilities are from 0 to 1. Write logits.npy instead.'
        )


def _losses(name: str, scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Returns the binary cross-entropy of each label, f64 [n, classes]."""
    wide = scores.astype(np.float64)
    if name == 'logits':
        return np.logaddexp(0, np.where(positive, -wide, wide))
    # Where scikit-learn clips: at the epsilon of the dtype; float16 as float32.
    smallest = float(np.finfo(np.promote_types(scores.dtype, np.float32)).eps)
    wide = np.clip(wide, smallest, 1 - smallest)
    return -np.log(np.where(positive, wide, 1 - wide))
