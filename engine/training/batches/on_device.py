"""Training examples that are held on the devices: only the indices of a batch travel."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jax
import numpy as np

from engine import sharding
from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX
from engine.sharding import Parallelism
from engine.training.batches.source import BatchOrder


class OnDevice:
    """A source whose payload is all examples, which stay on the devices, and indices, int32 [count, B].

    Args:
      examples: of the training split.
      order: of the examples.
      parallelism: where arrays live.
    """

    def __init__(self, examples: Examples, order: BatchOrder, parallelism: Parallelism):
        self._arrays, self._order = examples.arrays, order
        self._whole = sharding.replicated(parallelism.mesh)
        self._rows = sharding.batch_sharding(parallelism.mesh, axis=1)

    @cached_property
    def _data(self) -> Mapping[str, Any]:
        return jax.device_put(sharding.shard(self._arrays, self._whole), self._whole)

    def inputs(self, step: int, count: int) -> Any:
        """Returns the examples and the indices of each step."""
        indices = self._order.indices_of_steps(step, count)
        return self._data, sharding.shard(indices, self._rows)

    def shapes(self, count: int) -> Any:
        """Returns the shapes of examples and indices."""
        indices = jax.ShapeDtypeStruct((count, self._order.batch_size), np.int32)
        return sharding.abstract_sharded(self._arrays, self._whole), sharding.abstract_sharded(
            indices, self._rows
        )

    def batch(self, payload: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of step number `index` of the payload."""
        data, indices = payload
        rows = {INDEX: indices[index]}  # replaced by the row of each example; without fields, it counts them
        return rows | {name: array[indices[index]] for name, array in data.items()}
