"""Batches as a pure function of (seed, step, batch size): the step is the whole state of the input pipeline.

Place p = step * batch size + row holds example permutation(seed, epoch)[p % n] of epoch p // n: one endless
stream, without a remainder that is dropped or a short batch.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from engine import sharding
from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX, VALID
from engine.sharding import Parallelism
from engine.training.batches.decoding import Decoder
from engine.training.batches.workers import Batch

Arrays = Mapping[str, Any]

RESIDENT = 2**30  # bytes of training examples that are held on the devices rather than sent batch by batch
AHEAD = 2  # batches that are decoded before they are asked for


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
        epoch, start = divmod(step * self.batch_size, self.n)
        parts, left = [], self.batch_size
        while left:
            parts.append(self._permutation(epoch)[start : start + left])
            epoch, start, left = epoch + 1, 0, left - len(parts[-1])
        return np.concatenate(parts)

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
        whole = sharding.replicated(self._mesh)
        return jax.device_put(sharding.shard(self._arrays, whole), whole)

    def feed(self, step: int, count: int) -> Any:
        """Returns the examples and the indices of each step."""
        indices = _indices(self._order, step, count)
        return self._data, sharding.shard(indices, sharding.batch_sharding(self._mesh, axis=1))

    def shapes(self, count: int) -> Any:
        """Returns the shapes of examples and indices."""
        whole, rows = sharding.replicated(self._mesh), sharding.batch_sharding(self._mesh, axis=1)
        indices = jax.ShapeDtypeStruct((count, self._order.batch_size), np.int32)
        return sharding.abstract_sharded(self._arrays, whole), sharding.abstract_sharded(indices, rows)

    def batch(self, fed: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of its step number `index`."""
        data, indices = fed
        return {name: array[indices[index]] for name, array in data.items()}


class Streamed:
    """Training examples held by the host: it gathers or decodes each batch and sends it, [count, B, ...]."""

    def __init__(self, examples: Examples, order: Order, devices: Parallelism):
        self._arrays, self._order, self._mesh = examples.arrays, order, devices.mesh
        self._decoded = _Ahead(examples, order, devices.mesh)

    def feed(self, step: int, count: int) -> Any:
        """Returns the batches."""
        indices = _indices(self._order, step, count)
        rows = sharding.batch_sharding(self._mesh, axis=1)
        gathered = {name: sharding.gather(array, indices, rows) for name, array in self._arrays.items()}
        decoded = self._decoded.batches(step, count)
        return gathered | sharding.shard_local(decoded, rows, 1, self._order.batch_size)

    def shapes(self, count: int) -> Any:
        """Returns the shapes of the batches."""
        lead = (count, self._order.batch_size)
        shapes = {
            name: jax.ShapeDtypeStruct(lead + array.shape[1:], array.dtype)
            for name, array in self._arrays.items()
        } | {
            name: jax.ShapeDtypeStruct(lead + shape, np.uint8) for name, shape in self._decoded.shapes.items()
        }
        return sharding.abstract_sharded(shapes, sharding.batch_sharding(self._mesh, axis=1))

    def batch(self, fed: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of its step number `index`."""
        return {name: array[index] for name, array in fed.items()}


class _Ahead:
    """The decoded images of training batches, those of the next steps ahead of time."""

    def __init__(self, examples: Examples, order: Order, mesh: Mesh):
        self._decoder, self._order = Decoder(examples), order
        self._rows = sharding.local_rows(mesh, order.batch_size)
        self._begun: dict[int, Batch] = {}

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """The shape of each field of an example."""
        return self._decoder.shapes

    def batches(self, step: int, count: int) -> dict[str, np.ndarray]:
        """Returns this process's rows of the batches of steps, each field [count, rows, ...]."""
        if not self.shapes:
            return {}
        wanted = range(step, step + count + AHEAD)
        self._begun = {each: self._begun.get(each) or self._begin(each) for each in wanted}
        found = [self._begun.pop(each).result() for each in wanted[:count]]
        if count == 1:
            return {name: array[None] for name, array in found[0].items()}  # no copy
        return {name: np.stack([each[name] for each in found]) for name in self.shapes}

    def _begin(self, step: int) -> Batch:
        return self._decoder.training(self._order.indices(step), self._order.seed, step, self._rows)


def source(examples: Examples, order: Order, devices: Parallelism) -> Source:
    """Returns the training batches: from the devices if the examples fit there, else from the host."""
    size = sum(array.nbytes for array in examples.arrays.values())
    fits = size <= RESIDENT and not examples.encoded
    return (Resident if fits else Streamed)(examples, order, devices)


def training_batch(examples: Examples, order: Order, step: int) -> dict[str, np.ndarray]:
    """Returns the training batch of a step, whole, each array [B, ...]."""
    indices, rows = order.indices(step), np.arange(order.batch_size)
    decoded = Decoder(examples).training(indices, order.seed, step, rows).result()
    gathered = {name: array[indices] for name, array in examples.arrays.items()}
    return gathered | decoded | {INDEX: rows.astype(np.int32)}


def _indices(order: Order, step: int, count: int) -> np.ndarray:
    return np.stack([order.indices(step + each) for each in range(count)]).astype(np.int32)


def evaluation_batches(
    examples: Examples, batch_size: int, mesh: Mesh | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Yields all examples once, in stored order; the last batch is padded with its first example.

    Each batch has the fields `index`, int32 [B], the place in the split, and `valid`, bool [B], False for
    padding.

    Args:
      examples: of a split.
      batch_size: B.
      mesh: if given, images are decoded for this process's devices alone: those of the other rows are 0.
    """
    rows = np.arange(batch_size) if mesh is None else sharding.local_rows(mesh, batch_size)
    decoder, begun = Decoder(examples), deque[tuple[np.ndarray, np.ndarray, Batch]]()
    starts = iter(range(0, len(examples.ids), batch_size))
    while True:
        for first in islice(starts, 1 + AHEAD - len(begun)):
            places = np.arange(first, first + batch_size)
            valid = places < len(examples.ids)
            indices = np.where(valid, places, first)
            begun.append((indices, valid, decoder.evaluation(indices[rows])))
        if not begun:
            return
        indices, valid, batch = begun.popleft()
        gathered = {name: array[indices] for name, array in examples.arrays.items()}
        decoded = {name: _spread(each, rows, batch_size) for name, each in batch.result().items()}
        yield gathered | decoded | {INDEX: indices.astype(np.int32), VALID: valid}


def _spread(own: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Returns rows of a batch in their places among `count`, the others 0."""
    if len(rows) == count:
        return own
    whole = np.zeros((count, *own.shape[1:]), own.dtype)
    whole[rows] = own
    return whole
