"""Means and votes of several predictions of the same examples, for the `ensemble` of a kind."""

from collections.abc import Sequence

import numpy as np

_BLOCK_NUMBERS = 2**20  # counted at once


def mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the mean of arrays of one shape, in float64.

    >>> mean([np.zeros(2, np.float32), np.ones(2, np.float32)])
    array([0.5, 0.5])
    """
    total = arrays[0].astype(np.float64)
    for array in arrays[1:]:
        total += array
    return total / len(arrays)


def log_mean_exp(logs: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the logarithm of the mean of probabilities whose logarithms are given, in float64.

    >>> log_mean_exp([np.log([0.2]), np.log([0.4])]).round(6).tolist() == np.log([0.3]).round(6).tolist()
    True
    """
    wide = [array.astype(np.float64) for array in logs]
    largest = np.max(wide, axis=0)
    largest[np.isneginf(largest)] = 0  # all members exclude it, and so does their mean
    with np.errstate(divide='ignore'):
        return largest + np.log(mean([np.exp(array - largest) for array in wide]))


def vote(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the most frequent value at each place. Of equally frequent values it is the smallest.

    >>> vote([np.array([1, 5]), np.array([2, 3]), np.array([2, 4])]).tolist()
    [2, 3]

    Args:
      arrays: whole numbers, one array per vote, of one shape and dtype.
    """
    first = arrays[0]
    chosen = np.empty(first.shape, first.dtype)
    rows = max(1, _BLOCK_NUMBERS // max(1, first[:1].size))
    for start in range(0, len(first), rows):
        part = slice(start, start + rows)
        chosen[part] = _most_frequent([np.asarray(array[part]) for array in arrays])
    return chosen


def _most_frequent(arrays: Sequence[np.ndarray]) -> np.ndarray:
    chosen, votes = arrays[0], np.zeros(arrays[0].shape, int)
    for candidate in arrays:
        count = np.sum([array == candidate for array in arrays], axis=0)
        better = (count > votes) | ((count == votes) & (candidate < chosen))
        chosen, votes = np.where(better, candidate, chosen), np.where(better, count, votes)
    return chosen
