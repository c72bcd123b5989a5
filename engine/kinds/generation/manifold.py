"""Manifolds of features, and the distance of other features from them.

Letters in shapes: n features in the set, q queries, d numbers in each.

Source: Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS
2019, https://arxiv.org/abs/1904.06991.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 3  # definitions.py states this number too
# Largest number of squared distances computed at once: 32 MB.
_BLOCK_DISTANCES = 2**22
# Relative rounding errors: of squared lengths, and of squared radii.
_LENGTH_ERROR, _RADIUS_ERROR = 1e-13, 1e-9


@dataclass(frozen=True)
class Manifold:
    """Balls around the features of a set. They reach to the third nearest neighbour.

    Attributes:
      features: f64 [n, d], n > 3.
      radii: f64 [n].
    """

    features: np.ndarray
    radii: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> 'Manifold':
        """Returns the manifold of features f64 [n, d]; n is larger than the number of neighbours."""
        # The nearest feature is the feature itself, so index k is its k-th nearest neighbour.
        blocks = [np.partition(block, NEIGHBOURS, 1)[:, NEIGHBOURS] for block in _squares(features, features)]
        return cls(features, np.sqrt(np.concatenate(blocks)))

    def place(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compares features f64 [q, d] with the manifold.

        Returns:
          Whether a feature is in a ball or on its edge, bool [q], and its distance from the nearest feature
          of the set, f64 [q].
        """
        ends = np.square(self.radii) * (1 + _RADIUS_ERROR)
        blocks = [((block <= ends).any(1), block.min(1)) for block in _squares(queries, self.features)]
        inside, nearest = zip(*blocks, strict=True)
        return np.concatenate(inside), np.sqrt(np.concatenate(nearest))


def _squares(queries: np.ndarray, features: np.ndarray) -> Iterator[np.ndarray]:
    """Yields squared Euclidean distances, f64 [block, n].

    Products are far faster than differences. Centring reduces rounding errors, and distances within the
    rounding error are set to 0, so that equal features have distance 0.
    """
    middle = features.mean(0)
    features = features - middle
    lengths = np.square(features).sum(1)
    rows = max(1, _BLOCK_DISTANCES // len(features))
    for start in range(0, len(queries), rows):
        part = queries[start : start + rows] - middle
        sums = np.square(part).sum(1)[:, np.newaxis] + lengths
        squares = sums - 2 * part @ features.T
        yield np.where(squares > _LENGTH_ERROR * sums, squares, 0)
