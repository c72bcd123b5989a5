"""Training examples that are held by the host: it gathers or decodes each batch and sends it."""

from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from engine import sharding
from engine.datasets.orders.streams import Key
from engine.datasets.reading.dataset import Examples
from engine.sharding import Parallelism
from engine.training.batches.source import BatchOrder
from engine.training.batches.workers import DecodingBatch

PREFETCHED_STEPS = 2  # steps whose images are decoded before they are asked for


class RowDecoder(Protocol):
    """Decodes the images of training batches; `decoding.Decoder` does."""

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """The shape of each encoded field of one example, decoded; {} where there is none."""
        ...

    def training(
        self, indices: np.ndarray, seed: int, step: int, rows: np.ndarray, key: Key = ()
    ) -> DecodingBatch:
        """Starts to decode some rows of a training batch."""
        ...


class FromHost:
    """A source whose payload is whole batches, each field [count, B, ...].

    Args:
      examples: of the training split.
      order: of the examples.
      parallelism: where arrays live.
      decoder: of their images.
    """

    def __init__(self, examples: Examples, order: BatchOrder, parallelism: Parallelism, decoder: RowDecoder):
        self._arrays, self._order, self._mesh = examples.arrays, order, parallelism.mesh
        self._images = Prefetcher(decoder, order, parallelism.mesh)

    def inputs(self, step: int, count: int) -> Any:
        """Returns the batches of the steps."""
        indices = self._order.indices_of_steps(step, count)
        rows = sharding.batch_sharding(self._mesh, axis=1)
        gathered = {name: sharding.gather(array, indices, rows) for name, array in self._arrays.items()}
        decoded = self._images.batches(step, count)
        return gathered | sharding.shard_local(decoded, rows, 1, self._order.batch_size)

    def shapes(self, count: int) -> Any:
        """Returns the shapes of the batches."""
        lead = (count, self._order.batch_size)
        shapes = {
            name: jax.ShapeDtypeStruct(lead + array.shape[1:], array.dtype)
            for name, array in self._arrays.items()
        } | {
            name: jax.ShapeDtypeStruct(lead + shape, np.uint8) for name, shape in self._images.shapes.items()
        }
        return sharding.abstract_sharded(shapes, sharding.batch_sharding(self._mesh, axis=1))

    def batch(self, payload: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of step number `index` of the payload."""
        return {name: array[index] for name, array in payload.items()}


class Prefetcher:
    """Decodes the images of training batches, those of the next steps before they are asked for.

    Args:
      decoder: of the images.
      order: of the examples.
      mesh: the devices; only the rows held by this process's devices are decoded.
    """

    def __init__(self, decoder: RowDecoder, order: BatchOrder, mesh: Mesh):
        self._decoder, self._order = decoder, order
        self._rows = sharding.local_rows(mesh, order.batch_size)
        self._in_progress: dict[int, DecodingBatch] = {}

    @property
    def shapes(self) -> dict[str, tuple[int, int, int]]:
        """The shape of each encoded field of one example, decoded."""
        return self._decoder.shapes

    def batches(self, step: int, count: int) -> dict[str, np.ndarray]:
        """Returns this process's rows of the batches of steps, each field uint8 [count, rows, H, W, C]."""
        if not self.shapes:
            return {}
        wanted = range(step, step + count + PREFETCHED_STEPS)
        self._in_progress = {
            number: self._in_progress.get(number) or self._start(number) for number in wanted
        }
        batches = [self._in_progress.pop(number).result() for number in wanted[:count]]
        if count == 1:
            return {name: array[None] for name, array in batches[0].items()}  # no copy
        return {name: np.stack([batch[name] for batch in batches]) for name in self.shapes}

    def _start(self, step: int) -> DecodingBatch:
        return self._decoder.training(
            self._order.indices(step), self._order.seed, step, self._rows, self._order.key
        )
