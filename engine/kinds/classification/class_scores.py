"""Precision, recall and F1 of classes: by scikit-learn, and from sums for the bootstrap."""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import metrics

from engine.kinds.classification.class_probabilities import ClassPredictions

# Largest number of classes with a confusion matrix, whose size grows with the square of the classes.
MAX_CONFUSION_CLASSES = 1000


def indicator(groups: np.ndarray, count: int, values: np.ndarray | None = None) -> sparse.csr_array:
    """Spreads values over columns, so that the sum of a column is the sum of a group.

    Args:
      groups: column of each row, int [n], below `count`.
      count: number of columns.
      values: values of the rows, [n]; 1 by default.

    Returns:
      f64 [n, count].
    """
    values = np.ones(len(groups)) if values is None else values.astype(np.float64)
    return sparse.csr_array((values, (np.arange(len(groups)), groups)), shape=(len(groups), count))


def features(predicted: ClassPredictions) -> dict[str, sparse.csr_array]:
    """Returns indicators, f64 [n, classes], that sum to `hits`, `support` and `predicted` of each class."""
    classes = len(predicted.class_names)
    return {
        'hits': indicator(predicted.labels, classes, predicted.correct),
        'support': indicator(predicted.labels, classes),
        'predicted': indicator(predicted.predictions, classes),
    }


def from_sums(hits: np.ndarray, support: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Returns `precision`, `recall` and `f1` of each class.

    Args:
      hits: number of examples of each class that were recognised, [..., classes].
      support: number of examples of each class, [..., classes].
      predicted: number of predictions of each class, [..., classes].

    Returns:
      Each f64 [..., classes]; NaN for absent classes. The precision of a class never predicted is 0.
    """
    absent = np.where(support > 0, 0, np.nan)
    return {
        'precision': hits / np.maximum(predicted, 1) + absent,
        'recall': hits / np.maximum(support, 1) + absent,
        'f1': 2 * hits / np.maximum(support + predicted, 1) + absent,
    }


def macro(predicted: ClassPredictions) -> dict[str, float]:
    """Returns `precision`, `recall` and `f1`, each averaged over the classes that occur among the labels."""
    means = metrics.precision_recall_fscore_support(
        predicted.labels,
        predicted.predictions,
        labels=predicted.present,
        average='macro',
        zero_division=0.0,  # pyright: ignore[reportArgumentType]
    )
    return dict(zip(('precision', 'recall', 'f1'), map(float, means[:3]), strict=True))


def table(predicted: ClassPredictions) -> pd.DataFrame:
    """Returns a row per class: precision, recall, f1 and support; NaN where the class does not occur."""
    scores = metrics.precision_recall_fscore_support(
        predicted.labels,
        predicted.predictions,
        labels=np.arange(len(predicted.class_names)),
        average=None,
        zero_division=0.0,  # pyright: ignore[reportArgumentType]
    )
    index = pd.Index(predicted.class_names, name='class')
    frame = pd.DataFrame(
        dict(zip(('precision', 'recall', 'f1', 'support'), scores, strict=True)), index=index
    )
    frame.loc[frame['support'].to_numpy() == 0, ['precision', 'recall', 'f1']] = np.nan
    return frame


def confusion(predicted: ClassPredictions) -> pd.DataFrame:
    """Returns the number of examples of each label (row) that were predicted as each class (column)."""
    classes = len(predicted.class_names)
    counts = indicator(predicted.labels, classes).T @ indicator(predicted.predictions, classes)
    index = pd.Index(predicted.class_names, name='label')
    return pd.DataFrame(counts.toarray().astype(int), index=index, columns=list(predicted.class_names))
