"""Where arrays live: a mesh of devices, the state on all of them, the batch split along `data`."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from research.errors import UserError


@dataclass(frozen=True)
class Jit:
    """One program over a mesh: `jax.jit` splits the work by the shardings of its arguments.

    Args:
      data: devices along the axis `data`; 0 takes all there are.
    """

    data: int = 0

    @cached_property
    def mesh(self) -> Mesh:
        """The devices; raises `UserError` if there are fewer than asked for."""
        devices = jax.devices()
        if not 0 <= self.data <= len(devices):
            least = f'1 to {len(devices)}, or 0 for all'
            raise UserError(f'Jit.data = {self.data}, but there are {len(devices)} devices: bind {least}.')
        chosen = np.asarray(devices[: self.data or len(devices)])
        return Mesh(chosen, ('data',), axis_types=(AxisType.Auto,))

    def check(self, batch_size: int) -> None:
        """Raises `UserError` unless the batch splits evenly."""
        devices = self.mesh.size
        if batch_size % devices:
            fitting = batch_size // devices * devices or devices
            raise UserError(
                f'a batch of {batch_size} examples does not split evenly over {devices} devices: '
                f'bind a multiple of {devices}, such as {fitting}.'
            )

    @property
    def replicated(self) -> NamedSharding:
        """The sharding of what every device holds whole."""
        return NamedSharding(self.mesh, PartitionSpec())

    def split(self, axis: int = 0) -> NamedSharding:
        """The sharding of arrays split over the devices along `axis`."""
        return NamedSharding(self.mesh, PartitionSpec(*[None] * axis, 'data'))

    def shapes(self, tree: Any, sharding: NamedSharding) -> Any:
        """Returns the shapes of a tree with a sharding, to compile or restore for."""
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)
