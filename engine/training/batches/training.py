"""Training batches: held on the devices or by the host, and whole ones for inspection."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from engine.datasets.orders.order import MAIN, BoundOrder, Part
from engine.datasets.orders.streams import Key, part_key
from engine.datasets.reading.dataset import Examples
from engine.errors import UserError
from engine.interfaces import INDEX
from engine.sharding import Parallelism
from engine.training.batches.copied_ahead import Group, ahead
from engine.training.batches.decoding import Decoder
from engine.training.batches.from_host import FromHost
from engine.training.batches.on_device import OnDevice
from engine.training.batches.source import BatchSource

MAX_DEVICE_BYTES = 2**30  # training examples up to this size are held on the devices


@dataclass(frozen=True)
class PartOrder:
    """The order of one part's examples.

    Attributes:
      order: of all parts.
      name: of the part.
      n: number of its examples.
      batch_size: examples per step, over all devices.
      seed: of the training.
    """

    order: BoundOrder
    name: str
    n: int
    batch_size: int
    seed: int

    @property
    def key(self) -> Key:
        """What tells random numbers for this part from those for others."""
        return part_key(self.name)

    def indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [B].

        Raises:
          UserError: the order gives something else. Devices would read other examples, in silence.
        """
        indices = np.asarray(self.order.indices(step)[self.name])
        if indices.shape != (self.batch_size,) or indices.dtype.kind not in 'iu':
            raise self._wrong(f'{indices.dtype} {list(indices.shape)}', step)
        if indices.min() < 0 or indices.max() >= self.n:
            raise self._wrong(f'{indices.min()} to {indices.max()}', step)
        return indices

    def indices_of_steps(self, step: int, count: int) -> np.ndarray:
        """Returns the indices of steps `step` to `step + count - 1`, int32 [count, B]."""
        return np.array([self.indices(step + offset) for offset in range(count)], np.int32)

    def _wrong(self, given: str, step: int) -> UserError:
        part = f' of {self.name!r}' if self.name else ''
        return UserError(
            f'Trainer.order gives {given} as the indices{part} of step {step}, but whole numbers '
            f'[{self.batch_size}] from 0 to {self.n - 1} are needed.'
        )


def part_orders(parts: Mapping[str, Part], order: BoundOrder, seed: int) -> dict[str, PartOrder]:
    """Returns the order of each part's examples."""
    return {
        name: PartOrder(order, name, len(part.examples), part.batch_size, seed)
        for name, part in parts.items()
    }


def training_source(
    parts: Mapping[str, Part],
    order: BoundOrder,
    seed: int,
    parallelism: Parallelism,
    group: Group | None = None,
) -> BatchSource:
    """Returns the source of the batches of all parts.

    Args:
      parts: of the training data.
      order: of their examples.
      seed: of the training.
      parallelism: where arrays live.
      group: returns how many steps the call after a step runs, 0 at the end of the training. With None, no
        payload is made in advance.
    """
    sources = {
        name: batch_source(parts[name].examples, each, parallelism, group)
        for name, each in part_orders(parts, order, seed).items()
    }
    return sources[MAIN] if len(sources) == 1 else PartSources(sources)


def batch_source(
    examples: Examples, order: PartOrder, parallelism: Parallelism, group: Group | None = None
) -> BatchSource:
    """Returns a source that holds the examples on the devices if they fit there, else on the host."""
    size = sum(array.nbytes for array in examples.arrays.values())
    if size <= MAX_DEVICE_BYTES and not examples.encoded:
        return OnDevice(examples, order, parallelism)
    source = from_host(examples, order, parallelism)
    return ahead(source, parallelism.mesh, group) if group else source


def from_host(examples: Examples, order: PartOrder, parallelism: Parallelism) -> FromHost:
    """Returns a source that holds the examples on the host and decodes their images."""
    return FromHost(examples, order, parallelism, Decoder(examples))


class PartSources:
    """A source of several parts: the batch of the main one, with a dict for each of the others.

    Args:
      sources: by the name of the part.
    """

    def __init__(self, sources: Mapping[str, BatchSource]):
        self._sources = sources

    def inputs(self, step: int, count: int) -> Any:
        """Returns the payload of each part."""
        return {name: source.inputs(step, count) for name, source in self._sources.items()}

    def shapes(self, count: int) -> Any:
        """Returns the shapes of the payload of each part."""
        return {name: source.shapes(count) for name, source in self._sources.items()}

    def batch(self, payload: Any, index: int | jax.Array) -> dict[str, Any]:
        """Returns, inside the program, the batch of step number `index` of the payload."""
        batches = {name: source.batch(payload[name], index) for name, source in self._sources.items()}
        return batches.pop(MAIN) | batches


def training_batch(parts: Mapping[str, Part], order: BoundOrder, seed: int, step: int) -> dict[str, Any]:
    """Returns the whole training batch of a step on the host, each array [B, ...]."""
    batches = {
        name: part_batch(parts[name].examples, each, step)
        for name, each in part_orders(parts, order, seed).items()
    }
    return batches.pop(MAIN) | batches


def part_batch(examples: Examples, order: PartOrder, step: int) -> dict[str, np.ndarray]:
    """Returns the whole training batch of a part on the host, each array [B, ...]."""
    indices, rows = order.indices(step), np.arange(order.batch_size)
    decoded = Decoder(examples).training(indices, order.seed, step, rows, order.key).result()
    gathered = {name: array[indices] for name, array in examples.arrays.items()}
    return gathered | decoded | {INDEX: rows.astype(np.int32)}
