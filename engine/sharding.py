"""Where arrays live: a mesh of devices, the state whole or in parts on them, the batch split over all.

The task's code is the same in all ways to work. `Jit` compiles one program over arrays that span the mesh;
`PMap` one program for each device and its own rows, as `jax.pmap` does.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from engine.errors import UserError
from engine.interfaces import DATA_AXIS, INDEX, is_per_device

FSDP = 'fsdp'
Rules = tuple[tuple[str, tuple[str | None, ...]], ...]
Batch = dict[str, jax.Array]
Arguments = tuple[Any, ...]


class Parallelism(ABC):
    """A way to spread work over devices."""

    @cached_property
    def mesh(self) -> Mesh:
        """The devices; raises `UserError` if there are not as many as asked for."""
        sizes = self.sizes(jax.device_count())
        devices = np.asarray(jax.devices()[: prod(sizes.values())]).reshape(tuple(sizes.values()))
        return Mesh(devices, tuple(sizes), axis_types=(AxisType.Auto,) * len(sizes))

    @abstractmethod
    def sizes(self, there: int) -> dict[str, int]:
        """Returns the axes of the mesh and their sizes, of so many devices that are there."""

    @abstractmethod
    def state(self, shapes: Any) -> Any:
        """Returns the shapes of a state with the sharding of each array."""

    @abstractmethod
    def batch(self, fields: Batch) -> Batch:
        """Returns, inside a program, a batch that knows its rows and where they lie."""

    @abstractmethod
    def trace(
        self, function: Callable[..., Any], arguments: Arguments, out: Any, donate: tuple[int, ...] = ()
    ) -> jax.stages.Traced:
        """Traces a function on shapes with shardings; `out` are the shardings of its results."""


def batch_sharding(mesh: Mesh, axis: int = 0) -> NamedSharding:
    """Returns the sharding of arrays split over all devices along `axis`."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, mesh.axis_names))


def replicated(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of what every device holds whole."""
    return NamedSharding(mesh, PartitionSpec())


def abstract_sharded(tree: Any, sharding: NamedSharding) -> Any:
    """Returns the shapes of a tree with a sharding, to compile or restore for."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def shard(arrays: Any, sharding: NamedSharding) -> Any:
    """Returns host arrays as a program takes them: of several processes, each puts its part of them."""
    if jax.process_count() == 1:
        return arrays  # the program's call takes them as they are, which is quickest
    return jax.tree.map(lambda x: _array(x.shape, sharding, lambda part: x[part]), arrays)


def local_rows(mesh: Mesh, count: int) -> np.ndarray:
    """Returns the rows, of so many of a batch, that lie on devices of this process, in order."""
    parts = batch_sharding(mesh).addressable_devices_indices_map((count,)).values()
    return np.unique(np.concatenate([np.arange(count)[part] for part in parts if part is not None]))


def shard_local(arrays: Any, sharding: NamedSharding, axis: int, count: int) -> Any:
    """Returns arrays that hold this process's rows, along `axis`, as a program takes all `count` of them."""
    if jax.process_count() == 1:
        return arrays

    def assemble(own: np.ndarray) -> jax.Array:
        shape = (*own.shape[:axis], count, *own.shape[axis + 1 :])
        return jax.make_array_from_process_local_data(sharding, own, shape)

    return jax.tree.map(assemble, arrays)


def gather(array: np.ndarray, indices: np.ndarray, sharding: NamedSharding) -> Any:
    """Returns rows of a host array, indices.shape + [...]; of several processes, each reads its own."""
    if jax.process_count() == 1:
        return array.take(indices, axis=0)  # quicker than array[indices]
    shape = indices.shape + array.shape[1:]
    return _array(shape, sharding, lambda part: array[indices[part[: indices.ndim]]])


def _array(shape: tuple[int, ...], sharding: NamedSharding, read: Callable[[Any], Any]) -> jax.Array:
    return jax.make_array_from_callback(shape, sharding, read)


def fetch(tree: Any) -> Any:
    """Returns arrays as whole ones on the host; all processes must ask for them."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return multihost_utils.process_allgather(tree, tiled=True)


def check(mesh: Mesh, batch_size: int) -> None:
    """Raises `UserError` unless a batch splits evenly."""
    if batch_size % mesh.size:
        fitting = batch_size // mesh.size * mesh.size or mesh.size
        raise UserError(
            f'a batch of {batch_size} examples does not split evenly over {mesh.size} devices: '
            f'bind a multiple of {mesh.size}, such as {fitting}.'
        )


@dataclass(frozen=True)
class Jit(Parallelism):
    """One program over a mesh: `jax.jit` splits the work by the shardings of its arguments.

    With `fsdp` above 1, parameters and optimizer state are split over that many devices, each array along its
    longest axis that can be; after ZeRO, Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054.

    Args:
      data: devices along the axis `data`, each with the whole state or the same part of it; 0 takes all.
      fsdp: devices along the axis `fsdp`, each with a part of the state.
      rules: (pattern, axes) for arrays to be split otherwise: the first regular expression found in the path
        of an array, such as 'params/output/kernel', says what its axes are split over: 'fsdp', 'data', None.
    """

    data: int = 0
    fsdp: int = 1
    rules: Rules = ()

    def sizes(self, there: int) -> dict[str, int]:
        """Returns the axes `data` and `fsdp`."""
        if self.fsdp < 1 or there < self.fsdp:
            raise UserError(f'Jit.fsdp = {self.fsdp}, but there are {there} devices: bind 1 to {there}.')
        most = there // self.fsdp
        if not 0 <= self.data <= most:
            raise UserError(
                f'Jit.data = {self.data}, but there are {there} devices and Jit.fsdp = {self.fsdp}: '
                f'bind 1 to {most}, or 0 for all.'
            )
        return {DATA_AXIS: self.data or most, FSDP: self.fsdp}

    def state(self, shapes: Any) -> Any:
        """Returns the shapes of a state with shardings; raises `UserError` where a rule does not fit."""

        def with_sharding(path: Any, leaf: Any) -> jax.ShapeDtypeStruct:
            sharding = NamedSharding(self.mesh, self._axes(_name(path), leaf.shape))
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

        return jax.tree_util.tree_map_with_path(with_sharding, shapes)

    def _axes(self, name: str, shape: tuple[int, ...]) -> PartitionSpec:
        """Returns what each axis of an array is split over."""
        for pattern, axes in self.rules:
            if re.search(pattern, name):
                self._check_rule(pattern, axes, name, shape)
                return PartitionSpec(*axes)
        fitting = [axis for axis, size in enumerate(shape) if size and size % self.fsdp == 0]
        if self.fsdp == 1 or not fitting:
            return PartitionSpec()
        longest = max(fitting, key=lambda axis: (shape[axis], axis))
        return PartitionSpec(*[None] * longest, FSDP)

    def _check_rule(
        self, pattern: str, axes: tuple[str | None, ...], name: str, shape: tuple[int, ...]
    ) -> None:
        sizes = dict(self.mesh.shape)
        known = all(axis is None or axis in sizes for axis in axes)
        if not known or len(axes) > len(shape):
            raise UserError(
                f'Jit.rules: {pattern!r} is found in {name} {list(shape)}, which {axes} does not fit: '
                f"give for each axis 'data', 'fsdp' or None."
            )
        for axis, size in zip(axes, shape, strict=False):
            if axis and size % sizes[axis]:
                raise UserError(
                    f'Jit.rules: {pattern!r} is found in {name} {list(shape)}, '
                    f'of which {size} does not split over the {sizes[axis]} devices of {axis!r}.'
                )

    def batch(self, fields: Batch) -> Batch:
        """Returns a batch with its rows, split over all devices."""
        return jax.lax.with_sharding_constraint(_with_rows(fields), batch_sharding(self.mesh))

    def trace(
        self, function: Callable[..., Any], arguments: Arguments, out: Any, donate: tuple[int, ...] = ()
    ) -> jax.stages.Traced:
        """Traces a function over whole arrays."""
        return jax.jit(function, out_shardings=out, donate_argnums=donate).trace(*arguments)


@dataclass(frozen=True)
class PMap(Parallelism):
    """One program for each device and its rows of the batch, as with `jax.pmap`; each holds the whole state.

    It is the same function as with `Jit`, with the same checkpoints. Only what draws randomness for a whole
    batch at once differs, within its distribution: the masks of stock Dropout.

    Args:
      devices: how many; 0 takes all.
    """

    devices: int = 0

    def sizes(self, there: int) -> dict[str, int]:
        """Returns the axis `data`."""
        if not 0 <= self.devices <= there:
            raise UserError(
                f'PMap.devices = {self.devices}, but there are {there} devices: '
                f'bind 1 to {there}, or 0 for all.'
            )
        return {DATA_AXIS: self.devices or there}

    def state(self, shapes: Any) -> Any:
        """Returns the shapes of a state, whole on each device."""
        return abstract_sharded(shapes, replicated(self.mesh))

    def batch(self, fields: Batch) -> Batch:
        """Returns the rows of a batch that are this device's."""
        return _with_rows(fields)

    def trace(
        self, function: Callable[..., Any], arguments: Arguments, out: Any, donate: tuple[int, ...] = ()
    ) -> jax.stages.Traced:
        """Traces a function that each device runs on its part of the arrays; `jax.pmap` does the same."""
        specs, out_specs = (jax.tree.map(_spec, tree) for tree in (arguments, out))
        mapped = jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=out_specs, check_vma=False)
        return jax.jit(mapped, out_shardings=out, donate_argnums=donate).trace(*arguments)


def sum_across_devices(tree: Any) -> Any:
    """Returns, inside a program, sums over the whole batch from those over the rows at hand."""
    return jax.lax.psum(tree, DATA_AXIS) if is_per_device() else tree


def _spec(placed: Any) -> PartitionSpec:
    """Returns how a sharding, or a shape that has one, splits an array."""
    sharding = placed if isinstance(placed, NamedSharding) else placed.sharding
    return sharding.spec


def _with_rows(fields: Batch) -> Batch:
    """Returns fields [rows, ...] with `index`, the place of each in the whole batch."""
    count = len(next(iter(fields.values())))
    first = jax.lax.axis_index(DATA_AXIS) * count if is_per_device() else 0
    return fields | {INDEX: jnp.arange(count, dtype=jnp.int32) + first}


def _name(path: Any) -> str:
    """Returns the path of an array as rules name it: 'params/output/kernel'."""
    return jax.tree_util.keystr(path, simple=True, separator='/')
