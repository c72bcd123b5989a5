"""Draws the examples that are checked if a dataset is too large to check all.

The draw is a function of the ids, so each machine draws the same. Splits and classes keep their proportions.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.datasets.building import holding_out


def shares(splits: Mapping[str, int], count: int) -> dict[str, int]:
    """Returns how many examples of each split are drawn: in proportion, and at least one of each.

    >>> shares({'train': 1_250_000, 'val': 50_000, 'test': 3}, 10_000)
    {'train': 9615, 'val': 385, 'test': 1}

    Args:
      splits: the number of examples of each split.
      count: of the whole sample.
    """
    total = max(sum(splits.values()), 1)
    return {split: min(n, max(1, round(count * n / total))) for split, n in splits.items()}


def positions(ids: Sequence[str], count: int, classes: np.ndarray | None) -> np.ndarray:
    """Returns the positions of the drawn examples of a split, int64 [count], ascending.

    Args:
      ids: of the split, n.
      count: number of examples to draw.
      classes: the class of each example, int [n]; None draws without regard to classes.
    """
    digests = np.fromiter(map(holding_out.digest, ids), np.uint64, len(ids))
    if classes is None:
        return np.sort(np.argsort(digests, kind='stable')[:count])
    order = np.lexsort((digests, classes))  # by class, then by digest
    _, starts, sizes = np.unique(classes[order], return_index=True, return_counts=True)
    ranks = np.arange(len(order)) - np.repeat(starts, sizes)
    passed = (ranks + 0.5) / np.repeat(sizes, sizes)  # the share of its class that comes before an example
    return np.sort(order[np.lexsort((digests[order], passed))[:count]])
