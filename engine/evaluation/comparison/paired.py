"""Paired tests: whether two methods, evaluated on the same examples, differ by more than chance."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats


def bootstrap_p(differences: np.ndarray, examples: int) -> float:
    """Tests with the paired bootstrap, two-sided, whether a difference is 0.

    A bootstrap of very few examples is far too confident. The exact test of n pairs, which flips the sign of
    each difference, cannot fall below 2^(1 - n), so this p-value is at least that.

    Args:
      differences: differences of a metric between two methods on the same resamples, f64 [resamples].
        NaN is left out.
      examples: number of examples that were resampled.

    Returns:
      p, above 0 and at most 1.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 15.4; the added 1 is
    from Davison and Hinkley's, Bootstrap Methods and their Application, 1997, section 4.2.
    """
    known = differences[~np.isnan(differences)]
    beyond = min((known <= 0).sum(), (known >= 0).sum())
    p = 2 * (1 + beyond) / (1 + len(known))
    return float(min(1, max(p, 2.0 ** (1 - examples))))


def mcnemar_p(first: np.ndarray, second: np.ndarray) -> float:
    """Tests with McNemar's exact test whether two methods are right equally often.

    Args:
      first: whether the first method is right on each example, bool [n].
      second: whether the second method is, bool [n].

    Returns:
      p, two-sided; 1 if both are right on the same examples.

    Source: McNemar, Note on the Sampling Error of the Difference Between Correlated Proportions or
    Percentages, Psychometrika 1947.
    """
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    return float(stats.binomtest(one, one + other).pvalue) if one + other else 1.0


def holm(ps: Sequence[float]) -> list[float]:
    """Corrects p-values for multiple comparisons: they bound the chance of any false discovery among all.

    Args:
      ps: p-values of the comparisons, in any order.

    Returns:
      The corrected p-values in the same order, at most 1.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics
    1979.
    """
    order = np.argsort(ps, kind='stable')
    steps = np.asarray(ps, np.float64)[order] * np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(1, np.maximum.accumulate(steps))
    return corrected.tolist()


def corrected_resampled_error(values: np.ndarray, test_over_train: float) -> float:
    """Returns the standard error of the mean of values on splits of one dataset.

    Training sets of different splits share examples, so that their values depend on each other. The usual
    error, the deviation over the root of the number of splits, is then far too small.

    Args:
      values: a value for each split, f64 [splits], at least two.
      test_over_train: number of test examples over number of training examples, of a split.

    Source: Nadeau and Bengio, Inference for the Generalization Error, Machine Learning 2003, section 3.
    """
    return math.sqrt((1 / len(values) + test_over_train) * np.var(values, ddof=1))


def corrected_resampled_p(differences: np.ndarray, test_over_train: float) -> float:
    """Tests with the corrected resampled t-test, two-sided, whether the mean of differences is 0.

    Args:
      differences: differences of a metric between two methods, on the same splits, f64 [splits].
      test_over_train: as for `corrected_resampled_error`.

    Returns:
      p; NaN if a difference is NaN. Of equal differences it is 1 if they are 0, else 0.

    Source: as for `corrected_resampled_error`.
    """
    mean, error = float(np.mean(differences)), corrected_resampled_error(differences, test_over_train)
    if error == 0:
        return float(mean == 0)
    return float(2 * stats.t.sf(abs(mean / error), len(differences) - 1))


def corrected_resampled_interval(
    values: np.ndarray, test_over_train: float, confidence: float
) -> tuple[float, float]:
    """Returns the ends of the confidence interval of the mean that belongs to the corrected resampled t-test.

    Args:
      values: a value, or a difference of two methods, for each split, f64 [splits].
      test_over_train: as for `corrected_resampled_error`.
      confidence: between 0 and 1.
    """
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * corrected_resampled_error(
        values, test_over_train
    )
    return float(np.mean(values) - half), float(np.mean(values) + half)
