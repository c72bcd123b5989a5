"""Scores of classes and their averages, from numbers of examples per class.

One set of formulas computes the value of a metric and its values on resamples. They follow scikit-learn:
an average is over the classes that occur among the labels or the predictions.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from engine.kinds.classification.class_predictions import ClassPredictions


class Totals(NamedTuple):
    """Numbers of examples of each class, f64 [..., classes].

    Attributes:
      hits: examples that were recognised.
      support: examples.
      predicted: predictions.
    """

    hits: np.ndarray
    support: np.ndarray
    predicted: np.ndarray


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
    """Returns indicators, f64 [n, classes], that sum to the `Totals` of any examples."""
    classes = len(predicted.class_names)
    return {
        'hits': indicator(predicted.labels, classes, predicted.correct),
        'support': indicator(predicted.labels, classes),
        'predicted': indicator(predicted.predictions, classes),
    }


def totals(predicted: ClassPredictions) -> Totals:
    """Returns the totals of all examples."""
    return Totals(**{name: matrix.sum(axis=0) for name, matrix in features(predicted).items()})


def of_classes(total: Totals) -> dict[str, np.ndarray]:
    """Returns `precision`, `recall` and `f1` of each class, f64 [..., classes].

    A class that is never predicted has precision 0, and one that is never true has recall 0. A class that is
    neither has NaN.
    """
    either = total.support + total.predicted
    absent = np.where(either > 0, 0, np.nan)
    return {
        'precision': total.hits / np.maximum(total.predicted, 1) + absent,
        'recall': total.hits / np.maximum(total.support, 1) + absent,
        'f1': 2 * total.hits / np.maximum(either, 1) + absent,
    }


def metrics(total: Totals) -> dict[str, np.ndarray]:
    """Returns all metrics that depend on numbers of examples alone, f64 [...]; NaN where undefined."""
    accuracy = total.hits.sum(-1) / total.support.sum(-1)
    recalls = np.where(total.support > 0, total.hits / np.maximum(total.support, 1), np.nan)
    result = {
        'accuracy': accuracy,
        'balanced_accuracy': np.nanmean(recalls, axis=-1),
        'matthews': _matthews(total),
        'cohens_kappa': _kappa(total),
    }
    for name, scores in of_classes(total).items():
        result[f'macro_{name}'] = np.nanmean(scores, axis=-1)
        result[f'weighted_{name}'] = np.nansum(scores * total.support, -1) / total.support.sum(-1)
        result[f'micro_{name}'] = accuracy
    if recalls.shape[-1] == 2:
        result |= {'specificity': recalls[..., 0], 'sensitivity': recalls[..., 1]}
    return result


def table(predicted: ClassPredictions) -> pd.DataFrame:
    """Returns a row per class: precision, recall, f1 and support; NaN for a class that occurs nowhere."""
    total = totals(predicted)
    columns = {**of_classes(total), 'support': total.support.astype(int)}
    return pd.DataFrame(columns, pd.Index(predicted.class_names, name='class'))


def _matthews(total: Totals) -> np.ndarray:
    """Returns Matthews correlation; NaN if all predictions or all labels are one class.

    Source: Gorodkin, Comparing Two K-Category Assignments by a K-Category Correlation Coefficient, 2004.
    """
    n, agreeing, by_chance = _agreement(total)
    spreads = (n**2 - (total.support**2).sum(-1)) * (n**2 - (total.predicted**2).sum(-1))
    return (agreeing * n - by_chance) / np.sqrt(np.where(spreads > 0, spreads, np.nan))


def _kappa(total: Totals) -> np.ndarray:
    """Returns Cohen's kappa; NaN if all predictions and all labels are one class."""
    n, agreeing, by_chance = _agreement(total)
    rest = n**2 - by_chance
    return (agreeing * n - by_chance) / np.where(rest > 0, rest, np.nan)


def _agreement(total: Totals) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the numbers of examples, of right ones, and of pairs that agree by chance, each f64 [...]."""
    by_chance = (total.support * total.predicted).sum(-1)
    return total.support.sum(-1), total.hits.sum(-1), by_chance
