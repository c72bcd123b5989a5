"""Training batches on their way to the compiled training step: the protocol, and the choice between two ways.

A source prepares a payload on the host; inside the compiled program it makes the batch from the payload.
"""

from typing import Any, Protocol

import jax
import numpy as np

from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX
from engine.sharding import Parallelism
from engine.training.batches.decoding import Decoder
from engine.training.batches.from_host import FromHost
from engine.training.batches.on_device import OnDevice
from engine.training.batches.order import Order

MAX_DEVICE_BYTES = 2**30  # training examples up to this size are held on the devices


class BatchSource(Protocol):
    """Training batches for a program that runs one or several steps."""

    def inputs(self, step: int, count: int) -> Any:
        """Returns the payload of the program that runs steps `step` to `step + count - 1`."""
        ...

    def shapes(self, count: int) -> Any:
        """Returns the shapes, dtypes and shardings of the payload of `count` steps."""
        ...

    def batch(self, payload: Any, index: int | jax.Array) -> dict[str, jax.Array]:
        """Returns, inside the program, the batch of step `index` of the payload, each array [B, ...]."""
        ...


def batch_source(examples: Examples, order: Order, parallelism: Parallelism) -> BatchSource:
    """Returns a source that holds the examples on the devices if they fit there, else on the host."""
    size = sum(array.nbytes for array in examples.arrays.values())
    fits = size <= MAX_DEVICE_BYTES and not examples.encoded
    return (OnDevice if fits else FromHost)(examples, order, parallelism)


def training_batch(examples: Examples, order: Order, step: int) -> dict[str, np.ndarray]:
    """Returns the whole training batch of a step on the host, each array [B, ...]."""
    indices, rows = order.indices(step), np.arange(order.batch_size)
    decoded = Decoder(examples).training(indices, order.seed, step, rows).result()
    gathered = {name: array[indices] for name, array in examples.arrays.items()}
    return gathered | decoded | {INDEX: rows.astype(np.int32)}
