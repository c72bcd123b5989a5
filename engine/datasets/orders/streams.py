"""Endless streams of indices of examples, of which each step takes the next ones.

A stream consists of blocks, one after another. A block is a pure function of the seed and its number.
Position p = step * batch size + row of a stream lies in block p // (length of a block).
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import numpy as np

from engine.errors import UserError

Block = Callable[[int], np.ndarray]
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
    """A stream of blocks of equal length. Each block is an epoch.

    Args:
      block: returns the block of a number, int64 [length]; a pure function.
      length: of a block.
      batch_size: examples per step, over all devices.

    Raises:
      UserError: the length is not positive, or a block has another one.
    """

    def __init__(self, block: Block, length: int, batch_size: int):
        if length < 1:
            raise UserError(f'Trainer.order: a block of {length} examples is empty. Give it at least one.')
        self._length, self._batch_size = length, batch_size
        self._made = block
        self._block = lru_cache(maxsize=2)(self._checked)  # a batch spans two blocks, seldom more

    def indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [B]."""
        return taken(self._block, self._length, step * self._batch_size, self._batch_size)

    def _checked(self, number: int) -> np.ndarray:
        block = np.asarray(self._made(number))
        if block.shape != (self._length,):
            raise UserError(
                f'Trainer.order: block {number} of a stream has the shape {list(block.shape)}, not '
                f'[{self._length}], the length that it states.'
            )
        return block

    def epoch(self, steps: int) -> float:
        """Returns how many epochs `steps` steps make."""
        return steps * self._batch_size / self._length

    def ends_epoch(self, step: int) -> bool:
        """Whether the last of the first `step` steps completes an epoch."""
        epochs = [number * self._batch_size // self._length for number in (step - 1, step)]
        return epochs[0] < epochs[1]


def taken(block: Block, length: int, start: int, count: int) -> np.ndarray:
    """Returns what stands at consecutive positions of a stream of blocks.

    >>> taken(lambda number: 10 * number + np.arange(3), length=3, start=4, count=4).tolist()
    [11, 12, 20, 21]

    Args:
      block: returns the block of a number, [length].
      length: of a block.
      start: the first position.
      count: the number of positions.
    """
    number, offset = divmod(start, length)
    pieces, missing = [], count
    while missing:
        pieces.append(block(number)[offset : offset + missing])
        number, offset, missing = number + 1, 0, missing - len(pieces[-1])
    return np.concatenate(pieces)


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
