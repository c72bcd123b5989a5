"""Distances between the distributions of two sets of features.

Letters in shapes: n and m features in the sets, d numbers in each.
"""

from dataclasses import dataclass

import numpy as np

# Largest number of kernel values computed at once: 32 MB.
_BLOCK_KERNELS = 2**22


@dataclass(frozen=True)
class Moments:
    """Mean, f64 [d], and covariance, f64 [d, d], of a set of features: the input of the Frechet distance."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(features: np.ndarray, counts: np.ndarray | None = None) -> Moments:
    """Returns the mean and the unbiased covariance.

    Args:
      features: [n, d].
      counts: how often a feature is in the set, f64 [n]; 1 by default.
    """
    counts = np.ones(len(features)) if counts is None else counts
    total = counts.sum()
    mean = counts @ features / total
    centred = features - mean
    return Moments(mean, (centred * counts[:, np.newaxis]).T @ centred / (total - 1))


def frechet(one: Moments, other: Moments) -> float:
    """Returns the squared Frechet distance of two normal distributions.

    It is |m - m'|^2 + tr(C + C' - 2 (C C')^1/2) for means m, m' and covariances C, C'.

    Source: Dowson and Landau 1982; Heusel et al. 2017, https://arxiv.org/abs/1706.08500.
    """
    factor = _factor(one.covariance)
    # With C = F F^T, C C' has the eigenvalues of F^T C' F, which is symmetric: no matrix root is needed.
    eigenvalues = np.linalg.eigvalsh(factor.T @ other.covariance @ factor)
    mixed = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    distance = np.square(one.mean - other.mean).sum()
    return float(distance + np.trace(one.covariance) + np.trace(other.covariance) - 2 * mixed)


def _factor(matrix: np.ndarray) -> np.ndarray:
    """Returns F of a matrix F F^T. Its eigenvalues are negative by rounding only."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:  # a constant number, or fewer features than d
        eigenvalues, vectors = np.linalg.eigh(matrix)
        return vectors * np.sqrt(np.maximum(eigenvalues, 0))


def cubic(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the polynomial kernel (x.y / d + 1)^3, f64 [n, m], of features [n, d] and [m, d]."""
    return (one @ other.T / one.shape[1] + 1) ** 3


def discrepancy(
    one: np.ndarray, other: np.ndarray, counts: np.ndarray, other_counts: np.ndarray
) -> np.ndarray:
    """Returns the unbiased estimate of the squared maximum mean discrepancy, with the cubic kernel.

    Args:
      one: features [n, d].
      other: features [m, d].
      counts: how often a feature of `one` is in a resample, f64 [resamples, n].
      other_counts: the same for `other`, f64 [resamples, m].

    Returns:
      f64 [resamples].

    Source: Gretton et al. 2012, lemma 6; Binkowski et al. 2018, https://arxiv.org/abs/1801.01401.
    """
    between = _sums(one, other, counts, other_counts) / (counts.sum(1) * other_counts.sum(1))
    return _within(one, counts) + _within(other, other_counts) - 2 * between


def _within(features: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the mean kernel of two different members of a resample, f64 [resamples]."""
    totals = counts.sum(1)
    own = (np.square(features).sum(1) / features.shape[1] + 1) ** 3  # kernel of a feature with itself
    return (_sums(features, features, counts, counts) - counts @ own) / (totals * (totals - 1))


def _sums(one: np.ndarray, other: np.ndarray, counts: np.ndarray, other_counts: np.ndarray) -> np.ndarray:
    """Sums the kernels of all pairs of members of two resamples, in blocks: f64 [resamples]."""
    rows = max(1, _BLOCK_KERNELS // len(other))
    sums = np.zeros(len(counts))
    for start in range(0, len(one), rows):
        part = slice(start, start + rows)
        sums += np.einsum('dr,rd->d', counts[:, part], cubic(one[part], other) @ other_counts.T)
    return sums
