"""Batches as a pure function of (seed, step, batch size): the step is the whole state of the input pipeline.

Place p = step * batch size + row holds example permutation(seed, epoch)[p % n] of epoch p // n: one endless
stream, without a remainder that is dropped or a short batch.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any, Protocol

import jax
import numpy as np

from research.datasets.dataset import Examples
from research.engine import parallelism
from research.engine.parallelism import Parallelism
from research.interfaces import INDEX, VALID

Arrays = Mapping[str, Any]

RESIDENT = 2**30  # bytes of training examples that are held on the devices rather than sent batch by batch


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
    """Training batches, on their way to a program that runs some steps."""

    def feed(self, step: int, count: int) -> Any:
        """Returns what the program for the `count` steps from `step` on is given."""
        ...

    def shapes(self, count: int) -> Any:
        """Returns the shapes, dtypes and shardings of what it is given."""
        ...

    def batch(self, fed: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of its step number `index`."""
        ...


class Resident:
    """Training examples held on the devices: only the indices of a batch travel, int32 [count, B]."""

    def __init__(self, examples: Examples, order: Order, devices: Parallelism):
        self._arrays, self._order, self._mesh = examples.arrays, order, devices.mesh

    @cached_property
    def _data(self) -> Arrays:
        whole = parallelism.replicated(self._mesh)
        return jax.device_put(parallelism.place(self._arrays, whole), whole)

    def feed(self, step: int, count: int) -> Any:
        """Returns the examples and the indices of each step."""
        indices = _indices(self._order, step, count)
        return self._data, parallelism.place(indices, parallelism.split(self._mesh, axis=1))

    def shapes(self, count: int) -> Any:
        """Returns the shapes of examples and indices."""
        whole, rows = parallelism.replicated(self._mesh), parallelism.split(self._mesh, axis=1)
        indices = jax.ShapeDtypeStruct((count, self._order.batch_size), np.int32)
        return parallelism.placed(self._arrays, whole), parallelism.placed(indices, rows)

    def batch(self, fed: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of its step number `index`."""
        data, indices = fed
        return {name: array[indices[index]] for name, array in data.items()}


class Streamed:
    """Training examples held by the host: each batch is gathered there and sent, [count, B, ...]."""

    def __init__(self, examples: Examples, order: Order, devices: Parallelism):
        self._arrays, self._order, self._mesh = examples.arrays, order, devices.mesh

    def feed(self, step: int, count: int) -> Any:
        """Returns the batches."""
        indices = _indices(self._order, step, count)
        rows = parallelism.split(self._mesh, axis=1)
        return {name: parallelism.gather(array, indices, rows) for name, array in self._arrays.items()}

    def shapes(self, count: int) -> Any:
        """Returns the shapes of the batches."""
        lead = (count, self._order.batch_size)
        shapes = {
            name: jax.ShapeDtypeStruct(lead + array.shape[1:], array.dtype)
            for name, array in self._arrays.items()
        }
        return parallelism.placed(shapes, parallelism.split(self._mesh, axis=1))

    def batch(self, fed: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of its step number `index`."""
        return {name: array[index] for name, array in fed.items()}


def source(examples: Examples, order: Order, devices: Parallelism) -> Source:
    """Returns the training batches: from the devices if the examples fit there, else from the host."""
    size = sum(array.nbytes for array in examples.arrays.values())
    return (Resident if size <= RESIDENT else Streamed)(examples, order, devices)


def _indices(order: Order, step: int, count: int) -> np.ndarray:
    return np.stack([order.indices(step + each) for each in range(count)]).astype(np.int32)


def evaluation_batches(examples: Examples, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields all examples once, in stored order; the last batch is padded with its first example.

    Each batch has the fields `index`, int32 [B], the place in the split, and `valid`, bool [B], False for
    padding.
    """
    for first in range(0, len(examples.ids), batch_size):
        places = np.arange(first, first + batch_size)
        valid = places < len(examples.ids)
        indices = np.where(valid, places, first)
        yield {name: array[indices] for name, array in examples.arrays.items()} | {
            INDEX: indices.astype(np.int32),
            VALID: valid,
        }
