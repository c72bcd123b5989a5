"""Batches as a pure function of (seed, step, batch size): the step is the whole state of the input pipeline.

Place p = step * batch size + row holds example permutation(seed, epoch)[p % n] of epoch p // n: one endless
stream, without a remainder that is dropped or a short batch.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol

import jax
import numpy as np

from research.engine.datasets import Examples
from research.interfaces import VALID

Arrays = Mapping[str, Any]


class Order:
    """The order in which training sees examples.

    Args:
      n: number of examples.
      batch_size: examples per step, over all devices.
      seed: of the permutations.
    """

    def __init__(self, n: int, batch_size: int, seed: int):
        self.n, self.batch_size, self.seed = n, batch_size, seed
        self._permutation = lru_cache(maxsize=2)(self._draw)  # a batch touches two epochs, seldom more

    def _draw(self, epoch: int) -> np.ndarray:
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, epoch))))
        return generator.permutation(self.n)

    def indices(self, step: int) -> np.ndarray:
        """Returns the examples of a step, int64 [B]."""
        first = step * self.batch_size
        places = np.arange(first, first + self.batch_size)
        epochs = places // self.n
        return np.concatenate(
            [self._permutation(int(epoch))[places[epochs == epoch] % self.n] for epoch in np.unique(epochs)]
        )

    def epoch_ends(self, steps: int) -> list[int]:
        """Returns the steps, up to `steps`, that complete an epoch: ceil(epoch * n / batch size)."""
        epochs = steps * self.batch_size // self.n
        return [-(-epoch * self.n // self.batch_size) for epoch in range(1, epochs + 1)]

    def epoch(self, steps: int) -> float:
        """Returns the epochs that `steps` make."""
        return steps * self.batch_size / self.n


class Source(Protocol):
    """Training batches, on their way to a program."""

    def feed(self, step: int, count: int) -> Any:
        """Returns what a program that runs `count` steps from `step` on is given."""
        ...

    def batch(self, fed: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of its step number `index`."""
        ...


class Resident:
    """Training examples held on the device: only their indices travel at each step.

    Args:
      examples: all of them.
      order: in which they come.
      place: puts arrays on the devices.
    """

    def __init__(self, examples: Examples, order: Order, place: Callable[[Arrays], Arrays]):
        self._data, self._order = place(examples.arrays), order

    def feed(self, step: int, count: int) -> Any:
        """Returns the examples and int32 [count, B], those of each step."""
        return self._data, _indices(self._order, step, count).astype(np.int32)

    def batch(self, fed: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of its step number `index`."""
        data, indices = fed
        return {name: array[indices[index]] for name, array in data.items()}


class Streamed:
    """Training examples held by the host: each batch is gathered there and sent."""

    def __init__(self, examples: Examples, order: Order):
        self._data, self._order = examples.arrays, order

    def feed(self, step: int, count: int) -> Any:
        """Returns the batches, each array [count, B, ...]."""
        indices = _indices(self._order, step, count)
        return {name: array[indices] for name, array in self._data.items()}

    def batch(self, fed: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of its step number `index`."""
        return {name: array[index] for name, array in fed.items()}


def _indices(order: Order, step: int, count: int) -> np.ndarray:
    return np.stack([order.indices(step + each) for each in range(count)])


def evaluation_batches(examples: Examples, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields all examples once, in stored order; the last batch is padded with its first example.

    Each batch has a field `valid`, bool [B], that is False for padding.
    """
    for first in range(0, len(examples.ids), batch_size):
        places = np.arange(first, first + batch_size)
        valid = places < len(examples.ids)
        indices = np.where(valid, places, first)
        yield {name: array[indices] for name, array in examples.arrays.items()} | {VALID: valid}
