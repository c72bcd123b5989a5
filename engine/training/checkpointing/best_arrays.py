"""Which arrays a best checkpoint holds, and whether they stay on the devices until they are saved."""

from collections.abc import Collection, Iterable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from engine.training.checkpointing import read_arrays
from engine.training.steps import TracedSteps
from engine.variables import by_path

# A best state up to this size on a device stays there until it is saved. A larger one moves to the host.
MAX_DEVICE_BYTES = 2**30


def paths(traced: TracedSteps, state: Any) -> frozenset[str]:
    """Returns the paths of the arrays of a state that evaluation, prediction and pictures read."""
    return held([traced.evaluate, traced.predict, *([traced.pictures] if traced.pictures else [])], state)


def bytes_on_device(paths: Collection[str], state: Any) -> int:
    """Returns the bytes of a device that the best state takes until it is saved: 0 if it moves to the host.

    Args:
      paths: of its arrays.
      state: shapes, dtypes and shardings.
    """
    leaves = by_path(state)
    parts = {path: leaves[path].sharding.shard_shape(leaves[path].shape) for path in paths}
    size = sum(prod(shape) * leaves[path].dtype.itemsize for path, shape in parts.items())
    return size if size <= MAX_DEVICE_BYTES else 0


def held(programs: Iterable[jax.stages.Traced], state: Any) -> frozenset[str]:
    """Returns the paths of the parameters, of random keys and of what programs read."""
    always = {
        path
        for path, leaf in by_path(state).items()
        if path.startswith('params/') or jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    }
    return frozenset(always).union(*(read_arrays.paths(program, state) for program in programs))
