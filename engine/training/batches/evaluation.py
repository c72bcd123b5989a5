"""Batches for evaluation and prediction: every example once, in stored order."""

from collections import deque
from collections.abc import Iterator
from itertools import islice

import numpy as np
from jax.sharding import Mesh

from engine import sharding
from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX, VALID
from engine.training.batches.decoding import Decoder
from engine.training.batches.workers import DecodingBatch

PREFETCHED_BATCHES = 2  # batches whose images are decoded before they are asked for


def evaluation_batches(
    examples: Examples, batch_size: int, mesh: Mesh | None = None
) -> Iterator[dict[str, np.ndarray]]:
    """Yields all examples once, in stored order; the last batch is padded with copies of its first example.

    Each batch has the fields `index`, int32 [B], the position in the split, and `valid`, bool [B], False for
    padding.

    Args:
      examples: of a split.
      batch_size: B.
      mesh: if given, images are decoded for this process's devices alone; those of the other rows are 0.
    """
    rows = np.arange(batch_size) if mesh is None else sharding.local_rows(mesh, batch_size)
    decoder, in_progress = Decoder(examples), deque[tuple[np.ndarray, np.ndarray, DecodingBatch]]()
    starts = iter(range(0, len(examples.ids), batch_size))
    while True:
        for start in islice(starts, 1 + PREFETCHED_BATCHES - len(in_progress)):
            indices, valid = _padded(start, batch_size, len(examples.ids))
            in_progress.append((indices, valid, decoder.evaluation(indices[rows])))
        if not in_progress:
            return
        indices, valid, decoding = in_progress.popleft()
        gathered = {name: array[indices] for name, array in examples.arrays.items()}
        decoded = {name: _scattered(array, rows, batch_size) for name, array in decoding.result().items()}
        yield gathered | decoded | {INDEX: indices.astype(np.int32), VALID: valid}


def _padded(start: int, batch_size: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of a batch, int64 [B], and which of them are not padding, bool [B]."""
    positions = np.arange(start, start + batch_size)
    valid = positions < n
    return np.where(valid, positions, start), valid


def _scattered(local: np.ndarray, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Returns rows [R, ...] of a batch at their places in [B, ...], the other rows 0."""
    if len(rows) == batch_size:
        return local
    whole = np.zeros((batch_size, *local.shape[1:]), local.dtype)
    whole[rows] = local
    return whole
