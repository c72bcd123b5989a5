"""Where arrays live: a mesh of devices, the state replicated or split, and the batch split over all devices.

`Jit` compiles one program over arrays that span the mesh. `PMap` runs one program on each device and its rows
of the batch, as `jax.pmap` does. A task's code is the same for both.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jax.stages import Traced

from engine.errors import UserError
from engine.hardware import targets
from engine.interfaces import DATA_AXIS, FSDP_AXIS, INDEX, is_per_device

Axes = tuple[str | None, ...]  # the mesh axis that splits each axis of an array
Rules = tuple[tuple[str, Axes], ...]


class Parallelism(ABC):
    """How work is spread over devices."""

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh; raises `UserError` if there are too few devices."""
        sizes = self.sizes(len(targets.devices()))
        devices = np.asarray(targets.devices()[: prod(sizes.values())]).reshape(tuple(sizes.values()))
        return Mesh(devices, tuple(sizes), axis_types=(AxisType.Auto,) * len(sizes))

    @abstractmethod
    def sizes(self, available: int) -> dict[str, int]:
        """Returns the size of each axis of the mesh, given the number of available devices."""

    @abstractmethod
    def state(self, shapes: Any) -> Any:
        """Returns the shapes of a state, each with its sharding."""

    @abstractmethod
    def batch(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Returns, inside a program, a batch of arrays [rows, ...] with its `index` and its sharding."""

    @abstractmethod
    def trace(self, function: Callable, inputs: tuple, out: Any, donate: Sequence[int] = ()) -> Traced:
        """Traces a function on shapes with shardings. `out` holds the shardings of its results."""


def batch_sharding(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Returns the sharding that splits arrays over all devices along `axis`."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, mesh.axis_names))


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding that gives every device a whole copy."""
    return NamedSharding(mesh, PartitionSpec())


def abstract_sharded(tree: Any, sharding: NamedSharding) -> Any:
    """Returns shapes and dtypes of a tree with a sharding, to compile a program or restore a checkpoint."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def shard(arrays: Any, sharding: NamedSharding) -> Any:
    """Returns host arrays as the input of a program. Each process copies its own part to its devices."""
    if jax.process_count() == 1:
        return arrays  # calling the program with host arrays is fastest
    return jax.tree.map(lambda x: _array(x.shape, sharding, lambda part: x[part]), arrays)


def local_rows(mesh: Mesh, count: int) -> np.ndarray:
    """Returns the indices of the batch rows held by this process's devices, int [rows], in order."""
    parts = batch_sharding(mesh).addressable_devices_indices_map((count,)).values()
    return np.unique(np.concatenate([np.arange(count)[part] for part in parts if part is not None]))


def shard_local(arrays: Any, sharding: NamedSharding, axis: int, count: int) -> Any:
    """Returns this process's rows, along `axis`, as part of the input of a program over all `count` rows."""
    if jax.process_count() == 1:
        return arrays

    def assemble(local: np.ndarray) -> jax.Array:
        shape = (*local.shape[:axis], count, *local.shape[axis + 1 :])
        return jax.make_array_from_process_local_data(sharding, local, shape)

    return jax.tree.map(assemble, arrays)


def gather(array: np.ndarray, indices: np.ndarray, sharding: NamedSharding) -> Any:
    """Returns rows of a host array [n, ...], of shape indices.shape + [...]. Each process reads its own."""
    if jax.process_count() == 1:
        return array.take(indices, axis=0)  # faster than array[indices]
    shape = indices.shape + array.shape[1:]
    return _array(shape, sharding, lambda part: array[indices[part[: indices.ndim]]])


_array: Any = jax.make_array_from_callback  # which hands out more than slices, unlike its annotation


def fetch(tree: Any) -> Any:
    """Returns whole arrays on the host. All processes must call this."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def check_batch_size(mesh: Mesh, batch_size: int) -> None:
    """Raises `UserError` unless the batch splits evenly over the devices."""
    if batch_size % mesh.size:
        fitting = batch_size // mesh.size * mesh.size or mesh.size
        raise UserError(
            f'Trainer.batch_size: a batch of {batch_size} examples does not split evenly '
            f'over {mesh.size} devices: bind a multiple of {mesh.size}, such as {fitting}.'
        )


@dataclass(frozen=True)
class Jit(Parallelism):
    """One program over a mesh: `jax.jit` splits the work by the shardings of its arguments.

    With `fsdp` above 1, parameters and optimizer state are split over that many devices. Each array is split
    along its longest divisible axis. After ZeRO, Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054.

    Args:
      data: devices along the mesh axis 'data', which splits the batch and replicates the state; 0 takes all.
      fsdp: devices along the mesh axis 'fsdp', which splits batch and state.
      rules: (pattern, axes) pairs that override this choice. The first regular expression that matches the
        path of an array, such as 'params/output/kernel', gives the mesh axis of each array axis: 'fsdp',
        'data' or None.
    """

    data: int = 0
    fsdp: int = 1
    rules: Rules = ()

    def sizes(self, available: int) -> dict[str, int]:
        """Returns the sizes of the axes `data` and `fsdp`."""
        if self.fsdp < 1 or available < self.fsdp:
            raise UserError(
                f'Jit.fsdp = {self.fsdp}, but there are {available} devices: bind 1 to {available}.'
            )
        largest = available // self.fsdp
        if not 0 <= self.data <= largest:
            raise UserError(
                f'Jit.data = {self.data}, but there are {available} devices and Jit.fsdp = {self.fsdp}: '
                f'bind 1 to {largest}, or 0 for all.'
            )
        return {DATA_AXIS: self.data or largest, FSDP_AXIS: self.fsdp}

    def state(self, shapes: Any) -> Any:
        """Returns the shapes of a state, each with its sharding; `UserError` if a rule does not fit."""

        def with_sharding(path: Any, leaf: Any) -> jax.ShapeDtypeStruct:
            name = jax.tree_util.keystr(path, simple=True, separator='/')
            sharding = NamedSharding(self.mesh, self._axes(name, leaf.shape))
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

        return jax.tree_util.tree_map_with_path(with_sharding, shapes)

    def _axes(self, name: str, shape: tuple[int, ...]) -> PartitionSpec:
        """Returns the mesh axis that splits each axis of an array."""
        for pattern, axes in self.rules:
            if re.search(pattern, name):
                self._check_rule(pattern, axes, name, shape)
                return PartitionSpec(*axes)
        divisible = [axis for axis, size in enumerate(shape) if size and size % self.fsdp == 0]
        if self.fsdp == 1 or not divisible:
            return PartitionSpec()
        longest = max(divisible, key=lambda axis: (shape[axis], axis))
        return PartitionSpec(*[None] * longest, FSDP_AXIS)

    def _check_rule(self, pattern: str, axes: Axes, name: str, shape: tuple[int, ...]) -> None:
        sizes, match = dict(self.mesh.shape), f'Jit.rules: {pattern!r} matches {name} {list(shape)}'
        if any(axis is not None and axis not in sizes for axis in axes) or len(axes) > len(shape):
            raise UserError(f"{match}, which {axes} does not fit: give 'data', 'fsdp' or None for each axis.")
        for axis, size in zip(axes, shape, strict=False):
            if axis and size % sizes[axis]:
                raise UserError(f'{match}, but {sizes[axis]} devices of {axis!r} cannot split {size}.')

    def batch(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Returns the batch with `index`, split over all devices."""
        return jax.lax.with_sharding_constraint(_with_rows(fields), batch_sharding(self.mesh))

    def trace(self, function: Callable, inputs: tuple, out: Any, donate: Sequence[int] = ()) -> Traced:
        """Traces a function over whole arrays."""
        with jax.sharding.use_abstract_mesh(self.mesh.abstract_mesh):  # `interfaces.gathered` asks for it
            return jax.jit(function, out_shardings=out, donate_argnums=donate).trace(*inputs)


@dataclass(frozen=True)
class PMap(Parallelism):
    """One program on each device and its rows of the batch, as with `jax.pmap`; the state is replicated.

    It computes the same function as `Jit`, with the same checkpoints. One thing differs, within its
    distribution: random numbers that code draws for the whole batch at once, such as the masks of Dropout.

    Args:
      devices: number of devices; 0 takes all.
    """

    devices: int = 0

    def sizes(self, available: int) -> dict[str, int]:
        """Returns the size of the axis `data`."""
        if not 0 <= self.devices <= available:
            raise UserError(
                f'PMap.devices = {self.devices}, but there are {available} devices: '
                f'bind 1 to {available}, or 0 for all.'
            )
        return {DATA_AXIS: self.devices or available}

    def state(self, shapes: Any) -> Any:
        """Returns the shapes of a state, replicated on all devices."""
        return abstract_sharded(shapes, replicated(self.mesh))

    def batch(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Returns this device's rows of the batch, with `index`."""
        return _with_rows(fields)

    def trace(self, function: Callable, inputs: tuple, out: Any, donate: Sequence[int] = ()) -> Traced:
        """Traces a function that each device runs on its part of the arrays."""
        specs, out_specs = (jax.tree.map(_spec, tree) for tree in (inputs, out))
        mapped = jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=out_specs, check_vma=False)
        return jax.jit(mapped, out_shardings=out, donate_argnums=donate).trace(*inputs)


def sum_across_devices(tree: Any) -> Any:
    """Returns, inside a program, sums over the whole batch from the sums over this device's rows."""
    return jax.lax.psum(tree, DATA_AXIS) if is_per_device() else tree


def _spec(leaf: Any) -> PartitionSpec:
    """Returns the partition of a sharding, or of a shape that has one."""
    return (leaf if isinstance(leaf, NamedSharding) else leaf.sharding).spec


def _with_rows(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns fields [rows, ...] with `index`, int32 [rows]: the row in the whole batch, for each part."""
    parts = {name: _with_rows(part) for name, part in fields.items() if isinstance(part, dict)}
    count = len(next(field for field in fields.values() if not isinstance(field, dict)))
    first = jax.lax.axis_index(DATA_AXIS) * count if is_per_device() else 0
    return fields | parts | {INDEX: jnp.arange(count, dtype=jnp.int32) + first}
