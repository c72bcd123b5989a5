"""The variables of a released model: what its prediction reads of a state, under the names of the model."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine.errors import UserError
from engine.stored_trees import single_file
from engine.stored_trees.single_file import DTYPES
from engine.variables import by_path

# Trees of a state whose paths are those of variables of the model. A prediction reads one of the first two.
_TREES = ('params/', 'ema_params/', 'model_state/')


@dataclass(frozen=True)
class Variables:
    """The arrays of a released model.

    Attributes:
      arrays: on the host, by name, such as 'encoder/kernel'.
      places: for each name, the paths in the state of the task that hold the array.
    """

    arrays: Mapping[str, np.ndarray]
    places: Mapping[str, tuple[str, ...]]

    @property
    def shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """The shape and dtype of each array."""
        return {name: jax.ShapeDtypeStruct(array.shape, array.dtype) for name, array in self.arrays.items()}

    @property
    def parameters(self) -> int:
        """The number of values in all arrays."""
        return sum(array.size for array in self.arrays.values())


def of_state(state: Any, read: Collection[str], averages: Mapping[str, tuple[str, np.ndarray]]) -> Variables:
    """Returns the variables of a state.

    Args:
      state: of a task.
      read: the paths that its prediction reads.
      averages: for parameters that the task averages when it predicts, by name: the path of the other
        sequence in the average, and the average. The release holds the average, which then stands for both.

    Raises:
      UserError: an array has a dtype that the file cannot hold, such as random keys.
    """
    leaves = by_path(state)
    names = _names(read)
    for path in names.values():
        if not single_file.can_hold({path: leaves[path]}):
            raise UserError(
                f'the prediction of this task reads {path} of its state, whose dtype {leaves[path].dtype} a '
                'release cannot store. Keep random keys and complex numbers out of what predicts. Nothing '
                'was released.'
            )
    others = {other for other, _ in averages.values()}
    names = {name: path for name, path in names.items() if path not in others}
    arrays = {name: averages[name][1] if name in averages else leaves[path] for name, path in names.items()}
    places = {
        name: (path, averages[name][0]) if name in averages else (path,) for name, path in names.items()
    }
    return Variables(jax.device_get(arrays), places)


def _names(paths: Collection[str]) -> dict[str, str]:
    """Returns paths by names: without their tree if no two become the same, else as they are.

    >>> _names(['params/head/bias', 'steps'])
    {'head/bias': 'params/head/bias', 'steps': 'steps'}
    """
    short: dict[str, list[str]] = {}
    for path in sorted(paths):
        tree = next((tree for tree in _TREES if path.startswith(tree)), '')
        short.setdefault(path.removeprefix(tree), []).append(path)
    return {name if len(same) == 1 else path: path for name, same in short.items() for path in same}


def state(shapes: Any, places: Mapping[str, tuple[str, ...]], arrays: Mapping[str, Any]) -> Any:
    """Returns a state that holds the variables of a release. All other arrays are zero; nothing reads them.

    Args:
      shapes: of the state.
      places: as in `Variables`.
      arrays: by name, on the host, or traced.
    """
    filled = {path: arrays[name] for name, paths in places.items() for path in paths}
    leaves = [
        filled[path] if path in filled else jnp.zeros(leaf.shape, leaf.dtype)
        for path, leaf in by_path(shapes).items()
    ]
    return jax.tree.unflatten(jax.tree.structure(shapes), leaves)


def write(released: Variables, file: Path) -> None:
    """Writes the variables as a .safetensors file."""
    single_file.write_file(file, released.arrays)
    file.chmod(0o644)  # others may read a release; the library makes files private


def layout(file: Path) -> dict[str, dict[str, Any]]:
    """Returns for each array of a .safetensors file its dtype, shape, size and offset in bytes."""
    with file.open('rb') as opened:
        length = int.from_bytes(opened.read(8), 'little')
        header = json.loads(opened.read(length))
    header.pop('__metadata__', None)
    return {
        name: {
            'dtype': DTYPES[entry['dtype']],
            'shape': entry['shape'],
            'size': prod(entry['shape']),
            'offset': 8 + length + entry['data_offsets'][0],
        }
        for name, entry in header.items()
    }
