"""Trainings without a library on several devices, as a script would write them: jit, FSDP and pmap."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from benchmarks.bare_training import BareTraining

AXIS = 'data'


class BareSharded(BareTraining):
    """A training whose batch is split over all devices, in one program of `jax.jit`.

    Args:
      is_fsdp: whether parameters and optimizer state are split, too.
      arguments: of `BareTraining`.
    """

    def __init__(self, *arguments: Any, is_fsdp: bool = False, **keywords: Any):
        super().__init__(*arguments, **keywords)
        self._mesh = jax.make_mesh((jax.device_count(),), (AXIS,), axis_types=(AxisType.Auto,))
        whole = NamedSharding(self._mesh, PartitionSpec())
        state = [
            NamedSharding(self._mesh, self._axes(leaf.shape) if is_fsdp else PartitionSpec())
            for leaf in self._first_state
        ]
        self._rows_sharding = NamedSharding(self._mesh, PartitionSpec(AXIS))
        self._first_state = [*map(_put, self._first_state, state)]
        self._train = tuple(_put(array, whole) for array in self._train)
        self._val = tuple(_put(array, self._rows_sharding) for array in _padded(self._val, self._mesh.size))
        self._step = jax.jit(self._update, donate_argnums=0, out_shardings=(state, whole))
        self._measure = jax.jit(self._evaluate, out_shardings=whole)

    def _axes(self, shape: tuple[int, ...]) -> PartitionSpec:
        """Returns the split of an array's longest axis that the devices divide."""
        divisible = [axis for axis, size in enumerate(shape) if size and size % self._mesh.size == 0]
        longest = max(divisible, key=lambda axis: (shape[axis], axis), default=None)
        return PartitionSpec() if longest is None else PartitionSpec(*[None] * longest, AXIS)

    def _spread(self, indices: np.ndarray) -> jax.Array:
        return jax.make_array_from_callback(indices.shape, self._rows_sharding, lambda part: indices[part])


class BarePMap(BareTraining):
    """A training by `jax.pmap`: each device has its rows and a whole state, and gradients are averaged."""

    def __init__(self, *arguments: Any, **keywords: Any):
        super().__init__(*arguments, **keywords)
        self._count = jax.local_device_count()
        copies = jax.pmap(lambda _, tree: tree, in_axes=(0, None))
        whole = self._first_state, self._train
        self._first_state, self._train = copies(np.arange(self._count), whole)
        rows = [array.reshape(self._count, -1, *array.shape[1:]) for array in _padded(self._val, self._count)]
        self._val = jax.pmap(lambda tree: tree)(rows)
        step = jax.pmap(self._update, axis_name=AXIS, in_axes=(0, 0, 0, None), donate_argnums=0)
        self._step = lambda *inputs: _first_loss(step(*inputs))
        measure = jax.pmap(self._evaluate, axis_name=AXIS)
        self._measure = lambda *inputs: [value[0] for value in measure(*inputs)]

    def _spread(self, indices: np.ndarray) -> np.ndarray:
        return indices.reshape(self._count, -1)

    def _rows(self, keys: jax.Array) -> jax.Array:
        return keys.reshape(self._count, -1)[jax.lax.axis_index(AXIS)]

    def _mean(self, values: Any) -> Any:
        return jax.lax.pmean(values, AXIS)


def _first_loss(results: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
    """Returns the state and one of the losses, which are the same on all devices."""
    state, losses = results
    return state, losses.addressable_shards[0].data


def _put(array: Any, sharding: NamedSharding) -> jax.Array:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_put(jax.random.key_data(array), sharding))
    values = np.asarray(array)
    return jax.make_array_from_callback(values.shape, sharding, lambda part: values[part])


def _padded(split: Sequence[jax.Array], devices: int) -> list[np.ndarray]:
    """Returns the images and labels to evaluate, padded to a multiple of `devices` with label -1."""
    images, labels = map(np.asarray, split)
    padding = -len(labels) % devices
    return [
        np.pad(images, [(0, padding), (0, 0), (0, 0), (0, 0)]),
        np.pad(labels, (0, padding), constant_values=-1),
    ]
