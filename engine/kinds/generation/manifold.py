"""Manifolds of features: where a set of them lies, and how far other features are from it.

Letters in shapes: n features in the set, q asked about, d numbers in each.

Source: Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS
2019, https://arxiv.org/abs/1904.06991.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 3  # the definitions of the metrics say so too
# Squared distances are computed in blocks of at most so many: 32 MB.
_BLOCK = 2**22
# Shares of squared lengths that rounding may leave of nothing, and of a radius that it may take from its end.
_ROUNDING, _EDGE = 1e-13, 1e-9


@dataclass(frozen=True)
class Manifold:
    """Balls around the features of a set, each as wide as the way to its third nearest neighbour.

    Attributes:
      features: f64 [n, d], n > 3.
      radii: f64 [n].
    """

    features: np.ndarray
    radii: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> 'Manifold':
        """Returns the manifold of features f64 [n, d]; n is larger than the number of neighbours."""
        # Nearest of all is a feature to itself: what is in place k is the k-th nearest other one.
        blocks = [np.partition(block, NEIGHBOURS, 1)[:, NEIGHBOURS] for block in _squares(features, features)]
        return cls(features, np.sqrt(np.concatenate(blocks)))

    def place(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns where features f64 [q, d] lie.

        Returns:
          Whether each is in at least one ball, its edge included, bool [q]; and how far each is from the
          nearest feature of the set, f64 [q].
        """
        ends = np.square(self.radii) * (1 + _EDGE)
        found = [((block <= ends).any(1), block.min(1)) for block in _squares(queries, self.features)]
        inside, nearest = zip(*found, strict=True)
        return np.concatenate(inside), np.sqrt(np.concatenate(nearest))


def _squares(queries: np.ndarray, features: np.ndarray) -> Iterator[np.ndarray]:
    """Yields squared Euclidean distances, f64 [block, n].

    They are made of products, which is far faster than of differences, and of what is centred, so that
    little is lost by rounding; what it leaves of the distance between equal features is 0.
    """
    middle = features.mean(0)
    features = features - middle
    lengths = np.square(features).sum(1)
    rows = max(1, _BLOCK // len(features))
    for start in range(0, len(queries), rows):
        part = queries[start : start + rows] - middle
        sums = np.square(part).sum(1)[:, np.newaxis] + lengths
        squares = sums - 2 * part @ features.T
        yield np.where(squares > _ROUNDING * sums, squares, 0)
