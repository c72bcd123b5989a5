"""The difference between two arrays of predictions, or between two sequences of pictures."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from engine.outputs.pictures.sequence import Pictures

_BLOCK = 4096  # rows that are compared at once


class Difference(NamedTuple):
    """How much two arrays differ.

    Attributes:
      share: of floats, the largest difference as a share of the largest value, and of 1 if all are smaller;
        of other values, the share of those that are not equal.
      row: the one that differs most.
      of_floats: whether the values are floats.
    """

    share: float
    row: int
    of_floats: bool


def between(old: Any, new: Any) -> Difference:
    """Compares two arrays of as many rows. NaN equals NaN.

    >>> between(np.array([0.0, 5.0]), np.array([0.0, 5.5]))
    Difference(share=0.1, row=1, of_floats=True)
    >>> between(np.array([1, 2, 3, 4]), np.array([1, 2, 9, 4])).share
    0.25
    """
    blocks = [_by_row(one, other) for one, other in _blocks(old, new)]
    of_floats = np.dtype(old.dtype).kind == 'f'
    if not blocks:
        return Difference(0.0, 0, of_floats)
    rows = np.concatenate([each for each, _ in blocks])
    sizes = [size for _, size in blocks]
    share = rows.max() / max(1.0, *sizes) if of_floats else rows.sum() / max(1, sum(sizes))
    return Difference(float(share), int(rows.argmax()), of_floats)


def _blocks(old: Any, new: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the same rows of both, [rows, ...]."""
    if isinstance(old, Pictures) or isinstance(new, Pictures):
        for row in range(len(old)):
            yield np.asarray(old[row])[None], np.asarray(new[row])[None]
        return
    for start in range(0, len(old), _BLOCK):
        yield np.asarray(old[start : start + _BLOCK]), np.asarray(new[start : start + _BLOCK])


def _by_row(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the difference of each row, and the largest value of floats or the number of other values."""
    if one.shape != other.shape:
        return np.full(len(one), np.inf), 1.0
    if one.dtype.kind != 'f':
        return (one != other).reshape(len(one), -1).sum(1), one.size
    one, other = one.astype(np.float64), other.astype(np.float64)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid='ignore'):
        distances = np.where(same, 0.0, np.nan_to_num(np.abs(one - other), nan=np.inf, posinf=np.inf))
    largest = np.abs(one, where=np.isfinite(one), out=np.zeros_like(one)).max(initial=0.0)
    return distances.reshape(len(one), -1).max(1, initial=0.0), float(largest)
