"""A tree of arrays as one file, `state.safetensors`. Small arrays are written in a millisecond.

The names in the file are the paths of the arrays, such as `params/output/bias`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, TensorSpec, deserialize, serialize_file

from engine.errors import UserError
from engine.stored_trees.on_devices import Shapes, on_devices

FILE = 'state.safetensors'
# The dtypes that a file can hold, by their codes in it.
DTYPES = {
    'BOOL': 'bool',
    'U8': 'uint8',
    'I8': 'int8',
    'U16': 'uint16',
    'I16': 'int16',
    'F16': 'float16',
    'BF16': 'bfloat16',
    'U32': 'uint32',
    'I32': 'int32',
    'F32': 'float32',
    'U64': 'uint64',
    'I64': 'int64',
    'F64': 'float64',
}


def can_hold(arrays: Mapping[str, Any]) -> bool:
    """Returns whether a file can hold arrays of these dtypes; it cannot hold random keys."""
    return {array.dtype.name for array in arrays.values()} <= {*DTYPES.values()}


def write(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by their paths.

    Args:
      folder: a new one.
      arrays: on the host, of dtypes that `can_hold` accepts.
    """
    folder.mkdir()
    write_file(folder / FILE, arrays)


def write_file(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by their paths into a file of any name; see `write`."""
    contiguous = {path: np.ascontiguousarray(array) for path, array in arrays.items()}  # kept while it writes
    specs = {
        path: TensorSpec(
            dtype=array.dtype.name,
            shape=arrays[path].shape,
            data_ptr=array.ctypes.data,
            data_len=array.nbytes,
        )
        for path, array in contiguous.items()
    }
    serialize_file(specs, file)


def stored_shapes(folder: Path) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns shape and dtype of each array by its path; raises `UserError` if the file is damaged."""
    arrays = read_file(folder / FILE)
    return {path: jax.ShapeDtypeStruct(array.shape, array.dtype) for path, array in arrays.items()}


def restored(folder: Path, targets: Shapes) -> dict[str, Any]:
    """Returns some arrays by their paths, in the sharding of their targets, or in NumPy if these have none.

    Raises:
      UserError: the file is damaged.
    """
    arrays = read_file(folder / FILE)
    on_host = {path: arrays[path] for path, target in targets.items() if target.sharding is None}
    others = {path: target for path, target in targets.items() if path not in on_host}
    return on_host | on_devices(arrays, others)


def read_file(file: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a file by their paths; raises `UserError` if it is damaged."""
    try:
        entries = dict(deserialize(file.read_bytes()))
        return {path: _array(entries[path]) for path in sorted(entries)}  # the library gives any order
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise UserError(f'{file} is damaged: {type(error).__name__}: {error}.') from error


def _array(entry: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(entry['data'], jnp.dtype(DTYPES[entry['dtype']])).reshape(entry['shape'])
