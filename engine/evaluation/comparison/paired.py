"""Paired comparison: whether two methods, judged on the same examples, differ by more than chance."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def bootstrap_p(differences: np.ndarray, examples: int) -> float:
    """Tests by the paired bootstrap whether a difference is 0, on both sides.

    A bootstrap knows nothing but the examples it has, and of very few it would be far too sure. An exact test
    of n pairs, which flips the sign of each difference, cannot come below 2^(1 - n): neither does this one.

    Args:
      differences: of a metric between two methods, each on the same resamples, f64 [resamples]; NaN is
        left out.
      examples: number of examples that were resampled.

    Returns:
      p, above 0 and at most 1.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 15.4; the 1 that is added is
    Davison and Hinkley's, Bootstrap Methods and their Application, 1997, section 4.2.
    """
    told = differences[~np.isnan(differences)]
    beyond = min((told <= 0).sum(), (told >= 0).sum())
    p = 2 * (1 + beyond) / (1 + len(told))
    return float(min(1, max(p, 2.0 ** (1 - examples))))


def mcnemar_p(first: np.ndarray, second: np.ndarray) -> float:
    """Tests whether two methods are right equally often, by McNemar's test in its exact form.

    Args:
      first: whether the first method is right, bool [n].
      second: whether the second one is, bool [n].

    Returns:
      p, two-sided; 1 where they are right on the same examples.

    Source: McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions or
    Percentages, Psychometrika 1947.
    """
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    return float(stats.binomtest(one, one + other).pvalue) if one + other else 1.0


def holm(ps: Sequence[float]) -> list[float]:
    """Corrects p-values for their number, so that one false discovery among all is as rare as each p says.

    Args:
      ps: of the comparisons, in any order.

    Returns:
      The corrected ones in the same order, at most 1.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics
    1979.
    """
    order = np.argsort(ps, kind='stable')
    steps = np.asarray(ps, np.float64)[order] * np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(1, np.maximum.accumulate(steps))
    return corrected.tolist()
