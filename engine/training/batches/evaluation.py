"""Batches for evaluation and prediction: every example once, in stored order, or a fixed part of them."""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from itertools import islice

import jax
import numpy as np
from jax.sharding import Mesh

from engine import sharding
from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX, VALID, Batch
from engine.training.batches.decoding import Decoder
from engine.training.batches.workers import DecodingBatch

MAX_DEVICE_BYTES = 2**28  # examples up to this size stay on the devices
ROW_BYTES = 5  # of `index` and `valid`
ROW_MULTIPLE = 8  # rows of a device, which accelerators compute together
PREFETCHED_BATCHES = 2  # batches whose images are decoded before they are asked for


def evaluation_batches(
    examples: Examples, batch_size: int, mesh: Mesh | None = None, chosen: np.ndarray | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Yields examples once, in stored order; the last batch is padded with copies of its first example.

    Each batch has the fields `index`, int32 [B], the position in the split, and `valid`, bool [B], False for
    padding.

    Args:
      examples: of a split.
      batch_size: B.
      mesh: if given, images are decoded for this process's devices alone; those of the other rows are 0.
      chosen: the positions of the examples in the split, int [n], in ascending order; None takes all.
    """
    positions = np.arange(len(examples.ids)) if chosen is None else chosen
    rows = np.arange(batch_size) if mesh is None else sharding.local_rows(mesh, batch_size)
    decoder, in_progress = Decoder(examples), deque[tuple[np.ndarray, np.ndarray, DecodingBatch]]()
    starts = iter(range(0, len(positions), batch_size))
    while True:
        for start in islice(starts, 1 + PREFETCHED_BATCHES - len(in_progress)):
            indices, valid = _padded(positions[start : start + batch_size], batch_size)
            in_progress.append((indices, valid, decoder.evaluation(indices[rows])))
        if not in_progress:
            return
        indices, valid, decoding = in_progress.popleft()
        gathered = {name: array[indices] for name, array in examples.arrays.items()}
        decoded = {name: _scattered(array, rows, batch_size) for name, array in decoding.result().items()}
        yield gathered | decoded | {INDEX: (indices + examples.first_index).astype(np.int32), VALID: valid}


def fewest_rows(counts: Sequence[int], batch_size: int, devices: int) -> int:
    """Returns the rows of an evaluation batch: the fewest that take no more batches than `batch_size` does.

    Padding costs as much as examples. 180 examples fill two batches of 128 rows to 70 %, two of 96 to 94 %.

    >>> fewest_rows([180], batch_size=128, devices=1)
    96

    Args:
      counts: the number of examples of each set.
      batch_size: the most rows, a multiple of `devices`.
      devices: that share a batch.
    """

    def batches(rows: int) -> int:
        return sum(-(-count // rows) for count in counts)

    multiple = devices * ROW_MULTIPLE
    candidates = range(multiple, batch_size, multiple)
    return next((rows for rows in candidates if batches(rows) == batches(batch_size)), batch_size)


class EvaluatedBatches:
    """The batches of a set that is evaluated again and again. Small ones stay on the devices.

    Args:
      examples: of a split.
      batch_size: B.
      mesh: the devices.
      chosen: the positions of the examples in the split, int [n]; None for all.
    """

    def __init__(self, examples: Examples, batch_size: int, mesh: Mesh, chosen: np.ndarray | None):
        self._batches = partial(evaluation_batches, examples, batch_size, mesh, chosen)
        self._rows = sharding.batch_sharding(mesh)
        size = sum(array.nbytes for array in examples.arrays.values())
        self._is_held = size <= MAX_DEVICE_BYTES and not examples.encoded
        count = len(examples.ids) if chosen is None else len(chosen)
        rows = -(-count // batch_size) * batch_size
        row = size // max(1, len(examples.ids)) + ROW_BYTES
        # The bytes of a device that the batches take after their first use, 0 if they do not stay there.
        self.bytes_on_device = rows * row // mesh.size if self._is_held else 0

    def __iter__(self) -> Iterator[Batch]:
        """Yields the batches as inputs of a program."""
        return iter(self._held) if self._is_held else self._sharded()

    @cached_property
    def _held(self) -> list[Batch]:
        return [jax.device_put(batch, self._rows) for batch in self._sharded()]

    def _sharded(self) -> Iterator[Batch]:
        return (sharding.shard(batch, self._rows) for batch in self._batches())


def _padded(positions: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of a batch, int64 [B], and which of them are not padding, bool [B]."""
    padding = np.full(batch_size - len(positions), positions[0])
    return np.concatenate([positions, padding]), np.arange(batch_size) < len(positions)


def _scattered(local: np.ndarray, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Returns rows [R, ...] of a batch at their places in [B, ...], the other rows 0."""
    if len(rows) == batch_size:
        return local
    whole = np.zeros((batch_size, *local.shape[1:]), local.dtype)
    whole[rows] = local
    return whole
