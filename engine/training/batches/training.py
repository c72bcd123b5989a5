"""Training batches: held on the devices or by the host, and whole ones for inspection."""

import numpy as np

from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX
from engine.sharding import Parallelism
from engine.training.batches.decoding import Decoder
from engine.training.batches.from_host import FromHost
from engine.training.batches.on_device import OnDevice
from engine.training.batches.order import Order
from engine.training.batches.source import BatchSource

MAX_DEVICE_BYTES = 2**30  # training examples up to this size are held on the devices


def batch_source(examples: Examples, order: Order, parallelism: Parallelism) -> BatchSource:
    """Returns a source that holds the examples on the devices if they fit there, else on the host."""
    size = sum(array.nbytes for array in examples.arrays.values())
    fits = size <= MAX_DEVICE_BYTES and not examples.encoded
    return OnDevice(examples, order, parallelism) if fits else from_host(examples, order, parallelism)


def from_host(examples: Examples, order: Order, parallelism: Parallelism) -> FromHost:
    """Returns a source that holds the examples on the host and decodes their images."""
    return FromHost(examples, order, parallelism, Decoder(examples))


def training_batch(examples: Examples, order: Order, step: int) -> dict[str, np.ndarray]:
    """Returns the whole training batch of a step on the host, each array [B, ...]."""
    indices, rows = order.indices(step), np.arange(order.batch_size)
    decoded = Decoder(examples).training(indices, order.seed, step, rows).result()
    gathered = {name: array[indices] for name, array in examples.arrays.items()}
    return gathered | decoded | {INDEX: rows.astype(np.int32)}
