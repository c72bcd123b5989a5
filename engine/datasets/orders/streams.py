"""Endless streams of indices of examples, of which each step takes the next ones.

A stream consists of blocks, one after another. A block is a pure function of the seed and its number.
Position p = step * batch size + row of a stream lies in block p // (length of a block).
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import numpy as np

MIN_GROUPED_BLOCK = 10_000  # draws; in a shorter block, whole numbers of draws are far from the weights
Key = tuple[int, ...]  # tells random numbers apart that have one seed


class Stream(Protocol):
    """The order of the examples of one part."""

    def indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [B]."""
        ...

    def epoch(self, steps: int) -> float:
        """Returns how many epochs `steps` steps make."""
        ...

    def ends_epoch(self, step: int) -> bool:
        """Whether the last of the first `step` steps completes an epoch."""
        ...


class BlockStream:
    """A stream of blocks of equal length.

    Args:
      block: returns the block of a number, int64 [length]; a pure function.
      length: of a block.
      batch_size: examples per step, over all devices.
      epoch_length: examples per epoch, by default a block.
    """

    def __init__(
        self, block: Callable[[int], np.ndarray], length: int, batch_size: int, epoch_length: int = 0
    ):
        self._length, self._batch_size = length, batch_size
        self._epoch_length = epoch_length or length
        self._block = lru_cache(maxsize=2)(block)  # a batch spans two blocks, seldom more

    def indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [B]."""
        number, start = divmod(step * self._batch_size, self._length)
        taken, missing = [], self._batch_size
        while missing:
            taken.append(self._block(number)[start : start + missing])
            number, start, missing = number + 1, 0, missing - len(taken[-1])
        return np.concatenate(taken)

    def epoch(self, steps: int) -> float:
        """Returns how many epochs `steps` steps make."""
        return steps * self._batch_size / self._epoch_length

    def ends_epoch(self, step: int) -> bool:
        """Whether the last of the first `step` steps completes an epoch."""
        epochs = [number * self._batch_size // self._epoch_length for number in (step - 1, step)]
        return epochs[0] < epochs[1]


def generator(seed: int, number: int, key: Key = ()) -> np.random.Generator:
    """Returns the random numbers of a block, the same on every machine."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, number), spawn_key=key)))


def part_key(name: str) -> Key:
    """Returns what tells the random numbers of a part from those of the others; () for the main part."""
    return (int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], 'big'),) if name else ()


def shuffled(n: int, batch_size: int, seed: int, key: Key = ()) -> BlockStream:
    """Returns the stream in which every epoch is a random order of n examples.

    >>> shuffled(4, batch_size=2, seed=0).indices(0).tolist()
    [0, 3]

    Args:
      n: number of examples.
      batch_size: examples per step, over all devices.
      seed: of the training.
      key: of the part.
    """
    return BlockStream(lambda epoch: generator(seed, epoch, key).permutation(n), n, batch_size)


def grouped(
    groups: np.ndarray, weights: np.ndarray, batch_size: int, seed: int, key: Key = ()
) -> BlockStream:
    """Returns the stream that draws groups of examples in fixed proportions.

    Every block holds the same number of draws of each group, in a random order. Each group is shuffled by
    itself: none of its examples is drawn again before all others of the group were.

    Args:
      groups: the group of each example, int [n].
      weights: proportion of each group, f64 [groups]; they need not add up to 1. A group without a weight is
        never drawn.
      batch_size: examples per step, over all devices.
      seed: of the training.
      key: of the part.
    """
    members = [np.flatnonzero(groups == group) for group in range(len(weights))]
    length = max(len(groups), MIN_GROUPED_BLOCK)
    counts = apportioned(weights, length)
    labels = np.repeat(np.arange(len(weights)), counts)

    def block(number: int) -> np.ndarray:
        order = generator(seed, number, (*key, 0)).permutation(labels)
        drawn = np.empty(length, np.int64)
        for group, (indices, count) in enumerate(zip(members, counts, strict=True)):
            places = np.arange(number * count, (number + 1) * count)
            drawn[order == group] = indices[_shuffled_places(places, len(indices), seed, (*key, 1 + group))]
        return drawn

    return BlockStream(block, length, batch_size, len(groups))


def _shuffled_places(places: np.ndarray, n: int, seed: int, key: Key) -> np.ndarray:
    """Returns what stands at consecutive places of an endless sequence of random orders of 0 to n - 1."""
    if not len(places):
        return places
    first, last = int(places[0]) // n, int(places[-1]) // n
    orders = [generator(seed, epoch, key).permutation(n) for epoch in range(first, last + 1)]
    return np.concatenate(orders)[places - first * n]


def apportioned(weights: np.ndarray, total: int) -> np.ndarray:
    """Divides a total in proportion to weights into whole numbers, by the method of largest remainders.

    >>> apportioned(np.array([3.0, 1.0, 1.0]), 8).tolist()
    [5, 2, 1]
    """
    shares = weights / weights.sum() * total
    counts = np.floor(shares).astype(np.int64)
    rest = np.argsort(counts - shares, kind='stable')[: total - counts.sum()]
    counts[rest] += 1
    return counts
