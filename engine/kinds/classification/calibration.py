"""Calibration: whether predictions made with confidence 0.8 are right eight times in ten.

Sources: Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI
2015; Guo, Pleiss, Sun and Weinberger, On Calibration of Modern Neural Networks, ICML 2017, section 2.
"""

import numpy as np
import pandas as pd


def bin_of(confidences: np.ndarray, bins: int) -> np.ndarray:
    """Returns the bin, int [n], of confidences [n]: b holds (b / bins, (b + 1) / bins], the first 0 too."""
    return np.digitize(confidences, np.linspace(0, 1, bins + 1)[1:-1], right=True)


def expected_calibration_error(gaps: np.ndarray, examples: int) -> np.ndarray:
    """Averages the distance between accuracy and mean confidence over bins, weighted by their examples.

    Args:
      gaps: sum over a bin's examples of (1 if right else 0) - confidence, f64 [..., bins].
      examples: number of examples in all bins together.

    Returns:
      f64 [...], from 0, perfectly calibrated, to 1.
    """
    return np.abs(gaps).sum(axis=-1) / examples


def reliability(confidences: np.ndarray, correct: np.ndarray, bins: int) -> pd.DataFrame:
    """Tabulates confidence against accuracy.

    Args:
      confidences: probability of the predicted class, f64 [n].
      correct: whether the prediction is right, bool [n].
      bins: number of bins of equal width.

    Returns:
      A row per bin: its ends `low` and `high`, number of `examples`, mean `confidence` and `accuracy`, NaN if
      it is empty.
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
