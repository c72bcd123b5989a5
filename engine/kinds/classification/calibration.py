"""Calibration: whether 80 % of the predictions with confidence 0.8 are right.

Sources: Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI
2015; Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, section 2.
"""

import numpy as np
import pandas as pd


def bin_of(confidences: np.ndarray, bins: int) -> np.ndarray:
    """Returns the bins of confidences, int [n]. Bin b is (b / bins, (b + 1) / bins]; bin 0 includes 0."""
    return np.digitize(confidences, np.linspace(0, 1, bins + 1)[1:-1], right=True)


def expected_calibration_error(gaps: np.ndarray, examples: int) -> np.ndarray:
    """Returns the mean distance between accuracy and confidence over bins, weighted by their examples.

    Args:
      gaps: for each bin, the sum of correctness (0 or 1) minus confidence over its examples, f64 [..., bins].
      examples: number of examples in all bins together.

    Returns:
      f64 [...], between 0 (perfectly calibrated) and 1.
    """
    return np.abs(gaps).sum(axis=-1) / examples


def reliability(confidences: np.ndarray, correct: np.ndarray, bins: int) -> pd.DataFrame:
    """Tabulates confidence against accuracy.

    Args:
      confidences: probability of the predicted class, f64 [n].
      correct: whether the prediction is right, bool [n].
      bins: number of bins of equal width.

    Returns:
      A row per bin: its ends `low` and `high`, the number of `examples`, and the mean `confidence` and
      `accuracy`, which are NaN for empty bins.
    """
    groups, edges = bin_of(confidences, bins), np.linspace(0, 1, bins + 1)
    examples = np.bincount(groups, minlength=bins)
    divisor = np.where(examples > 0, examples, np.nan)
    return pd.DataFrame(
        {
            'low': edges[:-1],
            'high': edges[1:],
            'examples': examples,
            'confidence': np.bincount(groups, weights=confidences, minlength=bins) / divisor,
            'accuracy': np.bincount(groups, weights=correct, minlength=bins) / divisor,
        },
        index=pd.Index(range(bins), name='bin'),
    )
