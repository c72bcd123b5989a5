"""Distances between two sets of features: how far apart what drew them is.

Letters in shapes: n and m features in the sets, d numbers in each.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """What Frechet distance sees of a set: its mean f64 [d] and its covariance f64 [d, d]."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(features: np.ndarray, counts: np.ndarray | None = None) -> Moments:
    """Returns the mean and the unbiased covariance.

    Args:
      features: [n, d].
      counts: how often each of them is in the set, f64 [n]; once by default.
    """
    counts = np.ones(len(features)) if counts is None else counts
    total = counts.sum()
    mean = counts @ features / total
    centred = features - mean
    return Moments(mean, (centred * counts[:, np.newaxis]).T @ centred / (total - 1))


def frechet(one: Moments, other: Moments) -> float:
    """Returns the Frechet distance of two normal distributions, squared as is the custom.

    It is |m - m'|^2 + tr(C + C' - 2 (C C')^1/2) for means m, m' and covariances C, C'.

    Source: Dowson and Landau 1982; Heusel et al. 2017, https://arxiv.org/abs/1706.08500.
    """
    root = _root(one.covariance)
    # The eigenvalues of C C' are those of C^1/2 C' C^1/2, which is symmetric: no root of a general matrix.
    eigenvalues = np.linalg.eigvalsh(root @ other.covariance @ root)
    mixed = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    distance = np.square(one.mean - other.mean).sum()
    return float(distance + np.trace(one.covariance) + np.trace(other.covariance) - 2 * mixed)


def _root(matrix: np.ndarray) -> np.ndarray:
    """Returns the root of a symmetric matrix without negative eigenvalues."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(eigenvalues, 0))) @ vectors.T


def cubic(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the polynomial kernel (x.y / d + 1)^3, f64 [n, m], of features [n, d] and [m, d]."""
    return (one @ other.T / one.shape[1] + 1) ** 3


@dataclass(frozen=True)
class Kernels:
    """The kernels within and between two sets, f64 [n, n], [m, m] and [n, m].

    They make the squared maximum mean discrepancy, in 8 (n + m)^2 bytes or less.

    Source: Gretton et al. 2012, lemma 6; Binkowski et al. 2018, https://arxiv.org/abs/1801.01401.
    """

    within_one: np.ndarray
    within_other: np.ndarray
    between: np.ndarray

    @classmethod
    def of(cls, one: np.ndarray, other: np.ndarray) -> 'Kernels':
        """Returns the cubic kernels of features [n, d] and [m, d]."""
        return cls(cubic(one, one), cubic(other, other), cubic(one, other))

    def distance(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Returns the unbiased estimate, f64 [draws].

        Args:
          one: how often each feature of the one set is drawn, f64 [draws, n].
          other: the same for the other set, f64 [draws, m].
        """
        between = ((one @ self.between) * other).sum(1) / (one.sum(1) * other.sum(1))
        return _within(self.within_one, one) + _within(self.within_other, other) - 2 * between


def _within(kernel: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the mean kernel of two different draws, f64 [draws]."""
    totals = counts.sum(1)
    pairs = ((counts @ kernel) * counts).sum(1) - counts @ np.diagonal(kernel)
    return pairs / (totals * (totals - 1))
