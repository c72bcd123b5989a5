"""Nearest neighbours of embeddings, in blocks: never are all pairs in memory.

Letters in shapes: q queries, g examples of the gallery, among which neighbours are searched.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from engine.kinds.embeddings import unit

DISTANCES = ('cosine', 'euclidean')
_BLOCK_PAIRS = 2**22  # of queries and gallery, compared at once: 32 MB
# Closeness is compared in steps of 1e-12, so that rounding does not break ties.
_DECIMALS, _LESS = 12, 2.5e-13


@dataclass(frozen=True)
class Space:
    """Embeddings among which neighbours are searched.

    Attributes:
      vectors: f64 [n, d]: of length 1 for cosine; else centred, the longest of length 1.
      distance: 'cosine' or 'euclidean'.
      scale: by how much the vectors are shorter than the embeddings; 1 for cosine.
    """

    vectors: np.ndarray
    distance: str
    scale: float = 1.0

    @classmethod
    def of(cls, embeddings: np.ndarray, distance: str) -> 'Space':
        """Prepares embeddings [n, d]."""
        if distance == 'cosine':
            return cls(unit(embeddings), distance)
        largest = float(np.abs(embeddings).max()) or 1.0  # whose square could be too large for a float
        wide = np.asarray(embeddings, np.float64) / largest
        wide -= wide.mean(axis=0)
        longest = float(np.sqrt(np.square(wide).sum(axis=1)).max()) or 1.0
        return cls(wide / longest, distance, largest * longest)

    def closeness(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """Returns cosine similarities, or negative squared distances, f64 [q, g], of rows to rows."""
        one, other = self.vectors[queries], self.vectors[gallery]
        products = one @ other.T
        if self.distance == 'euclidean':
            squares = [np.square(vectors).sum(axis=1) for vectors in (one, other)]
            products *= 2
            products -= squares[0][:, np.newaxis]
            products -= squares[1]
            np.minimum(products, 0, out=products)
        return np.round(products, _DECIMALS, out=products)

    def measured(self, closeness: np.ndarray) -> np.ndarray:
        """Returns closeness as people read it: cosine similarities, or distances of the embeddings."""
        return closeness if self.distance == 'cosine' else self.scale * np.sqrt(np.maximum(-closeness, 0))


@dataclass(frozen=True)
class Neighbours:
    """The nearest neighbours of one query.

    Attributes:
      query: its row.
      rows: rows of the neighbours, int [m], the nearest first.
      closeness: theirs, f64 [m].
    """

    query: int
    rows: np.ndarray
    closeness: np.ndarray


def search(
    space: Space, labels: np.ndarray | None, queries: np.ndarray, gallery: np.ndarray, counts: np.ndarray
) -> Iterator[Neighbours]:
    """Yields the nearest neighbours of each query. A query is not its own neighbour.

    Among equally close neighbours, those of other classes come first, then the earlier ones: a network that
    maps everything to one point finds nothing.

    Args:
      space: the embeddings.
      labels: the class of each of them, int [n]; None if unknown.
      queries: rows of the queries, int [q].
      gallery: rows to search, int [g], ascending.
      counts: how many neighbours each query wants, int [q].
    """
    size = max(1, _BLOCK_PAIRS // len(gallery))
    for start in range(0, len(queries), size):
        block = queries[start : start + size]
        closeness = space.closeness(block, gallery)
        closeness[block[:, np.newaxis] == gallery] = -np.inf
        ordered = closeness
        if labels is not None:
            ordered = closeness - _LESS * (labels[block][:, np.newaxis] == labels[gallery])
        for i, query in enumerate(block.tolist()):
            chosen = _nearest(ordered[i], int(counts[start + i]))
            yield Neighbours(query, gallery[chosen], closeness[i, chosen])


def _nearest(closeness: np.ndarray, count: int) -> np.ndarray:
    """Returns the indices of the largest finite numbers, the largest first; of equal ones the earlier."""
    count = min(count, int(np.count_nonzero(closeness > -np.inf)))
    if not count:
        return np.zeros(0, int)
    bound = np.partition(closeness, len(closeness) - count)[len(closeness) - count]
    above = np.flatnonzero(closeness > bound)
    equal = np.flatnonzero(closeness == bound)[: count - len(above)]
    chosen = np.concatenate([above, equal])
    return chosen[np.argsort(-closeness[chosen], kind='stable')]
