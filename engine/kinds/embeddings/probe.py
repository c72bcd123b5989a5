"""The linear probe: how well a linear classifier reads the labels from the embeddings."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
MAX_STEPS = 1000
MAX_NUMBERS = 2**28  # examples times classes times width: about a minute on two cores


@dataclass(frozen=True)
class Probe:
    """The predictions of linear probes for examples that they were not trained on.

    Attributes:
      correct: whether each prediction is right, f64 [n]; NaN for examples that were left out.
      note: a sentence on what was left out or did not converge, or ''.
    """

    correct: np.ndarray
    note: str = ''


def probe(embeddings: np.ndarray, labels: np.ndarray) -> Probe:
    """Trains logistic regressions on all folds but one, and predicts that one.

    Classes with fewer examples than folds are left out.

    Args:
      embeddings: [n, d].
      labels: int [n].
    """
    classes, indices, counts = np.unique(labels, return_inverse=True, return_counts=True)
    kept = counts[indices] >= FOLDS
    correct = np.full(len(labels), np.nan)
    if np.count_nonzero(counts >= FOLDS) < 2:
        return Probe(correct)
    if kept.sum() * embeddings.shape[1] * len(classes) > MAX_NUMBERS:
        return Probe(correct, 'The linear probe is left out, because it would take too long.')
    predicted, converged = _predicted(np.asarray(embeddings[kept], np.float64), labels[kept])
    correct[kept] = predicted == labels[kept]
    return Probe(correct, ' '.join(_notes(int((~kept).sum()), converged)))


def _predicted(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, bool]:
    """Returns the predictions for the examples of each fold, and whether all probes converged."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_STEPS))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter('always')
        predicted = cross_val_predict(model, embeddings, labels, cv=folds)
    slow = any(issubclass(warning.category, ConvergenceWarning) for warning in raised)
    return np.asarray(predicted), not slow


def _notes(left_out: int, converged: bool) -> list[str]:
    notes = []
    if left_out:
        notes.append(
            f'The linear probe leaves out {left_out:,} examples of classes with fewer than {FOLDS} examples.'
        )
    if not converged:
        notes.append(f'A linear probe did not converge within {MAX_STEPS:,} steps.')
    return notes
