"""Streams that draw groups of examples in fixed proportions: classes, members of a mixture, equal weights."""

from functools import lru_cache, partial

import numpy as np

from engine.datasets.orders.proportions import Proportions
from engine.datasets.orders.streams import BlockStream, Key, generator, taken

MIN_DRAWS = 64  # that one generator orders; a group may have a single pair of examples
STREAM = 2  # of randomness, apart from those of shuffled examples and of decoding
SHIFT, SPREAD, GROUPS = 0, 1, 2  # what random numbers are for; those of group g have the key GROUPS + g


def grouped(
    groups: np.ndarray, weights: np.ndarray, batch_size: int, seed: int, key: Key = ()
) -> BlockStream:
    """Returns the stream that draws groups of examples in fixed proportions.

    An epoch has as many draws as there are examples. The draws of each group are spread evenly over it, at
    random places, so that any stretch of the stream holds the groups in nearly the same proportions. Each
    group is shuffled by itself: none of its examples is drawn again before all others of the group were.

    >>> stream = grouped(np.array([0, 1, 1, 1]), np.array([1.0, 1.0]), batch_size=4, seed=0)
    >>> [sorted(stream.indices(step).tolist()) for step in range(3)]
    [[0, 0, 1, 3], [0, 0, 1, 2], [0, 0, 2, 3]]

    Args:
      groups: the group of each example, int [n].
      weights: proportion of each group, f64 [groups]; they need not add up to 1. A group without weight, or
        without examples, is never drawn.
      batch_size: examples per step, over all devices.
      seed: of the training.
      key: of the part.
    """
    n, sizes, key = len(groups), np.bincount(groups, minlength=len(weights)), (*key, STREAM)
    shift = generator(seed, 0, (*key, SHIFT)).random()
    proportions = Proportions(np.where(sizes > 0, weights, 0.0), n, shift)
    members, firsts = np.argsort(groups, kind='stable'), np.cumsum(sizes) - sizes
    rounds = -(-MIN_DRAWS // np.maximum(sizes, 1))

    @lru_cache(maxsize=2 * len(weights))
    def orders(group: int, number: int) -> np.ndarray:
        """Returns some random orders of the examples of a group, one after another."""
        in_order = np.tile(np.arange(sizes[group]), (rounds[group], 1))
        return generator(seed, number, (*key, GROUPS + group)).permuted(in_order, axis=1).ravel()

    def block(number: int) -> np.ndarray:
        starts = proportions.draws_before(number)
        counts = proportions.draws_before(number + 1) - starts
        ends, places = np.cumsum(counts), np.zeros(n, np.int64)  # of the draws, among the group's examples
        for group in np.flatnonzero((counts > 0) & (sizes > 1)).tolist():
            length = int(rounds[group] * sizes[group])
            drawn = taken(partial(orders, group), length, int(starts[group]), int(counts[group]))
            places[ends[group] - counts[group] : ends[group]] = drawn
        drawn = members[np.repeat(firsts, counts) + places]
        return drawn[_spread(counts, generator(seed, number, (*key, SPREAD)))]

    return BlockStream(block, n, batch_size)


def _spread(counts: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns the order of draws, int64 [draws], in which those of each group are spread evenly.

    A group of c draws has one at a random moment of each c-th part of the block.

    Args:
      counts: draws of each group, which stand one after another.
      random: makes the moments.
    """
    ends = np.cumsum(counts)
    rank = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    moments = (rank + random.random(ends[-1])) / np.repeat(counts, counts)
    return np.argsort(moments, kind='stable')
