"""Metrics of several steps as one array, which travels from the device to the host in one transfer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from engine.interfaces import Metrics


@dataclass(frozen=True)
class PackedPart:
    """Where a part of a metric is in the array.

    Attributes:
      metric: its name.
      part: 'total' or 'count'.
      shape: of the part at one step.
      dtype: of the part.
    """

    metric: str
    part: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """Number of bytes at one step."""
        return prod(self.shape) * self.dtype.itemsize


@partial(jax.tree_util.register_dataclass, data_fields=['array'], meta_fields=['fields'])
@dataclass(frozen=True)
class PackedMetrics:
    """The bytes of the totals and counts of metrics, to the bit.

    Attributes:
      array: uint8 [steps, bytes].
      fields: the meaning of the bytes, in their order.
    """

    array: jax.Array
    fields: tuple[PackedPart, ...]

    @property
    def names(self) -> list[str]:
        """The names of the metrics."""
        return [*dict.fromkeys(field.metric for field in self.fields)]


def pack(metrics: Metrics) -> PackedMetrics:
    """Packs metrics inside a program; totals and counts are [steps] or [steps, K]."""
    parts = {
        (name, part): getattr(metric, part) for name, metric in metrics.items() for part in ('total', 'count')
    }
    fields = tuple(PackedPart(*key, array.shape[1:], np.dtype(array.dtype)) for key, array in parts.items())
    return PackedMetrics(jnp.concatenate([_bytes(array) for array in parts.values()], axis=1), fields)


def _bytes(array: jax.Array) -> jax.Array:
    """Returns the bytes of an array [steps, ...], uint8 [steps, bytes]."""
    array = array.astype(jnp.uint8) if array.dtype == bool else array
    return jax.lax.bitcast_convert_type(array, jnp.uint8).reshape(len(array), -1)


def unpack(packed: Sequence[PackedMetrics]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns total and count of each metric by its name, each [steps] or [steps, K], on the host.

    Args:
      packed: of consecutive calls with the same metrics.
    """
    rows = np.concatenate(jax.device_get([each.array for each in packed]))
    parts, start = {}, 0
    for field in packed[0].fields:
        column = np.ascontiguousarray(rows[:, start : start + field.size])
        parts[field.metric, field.part] = column.view(field.dtype).reshape(len(rows), *field.shape)
        start += field.size
    return {name: (parts[name, 'total'], parts[name, 'count']) for name in packed[0].names}
