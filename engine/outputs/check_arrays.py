"""Checks the arrays of an outputs folder against the declaration of its kind."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from engine.errors import UserError, did_you_mean, nearest
from engine.outputs import kind_folders
from engine.outputs.kind import ADDITIONAL, Arrays, Field, Kind

_AXIS_NAMES = {'n': 'the number of ids', 'classes': 'the number of classes'}
_RESERVED_NAMES = ('ids', 'class_names')  # parameters of metrics and entries of .npz files


def check(folder: Path, kind: str, arrays: Arrays, examples: int, classes: int) -> None:
    """Checks names, dtypes, shapes and indices of the arrays of an outputs folder.

    Args:
      folder: the folder, for the message.
      kind: name of the kind.
      arrays: the arrays by name.
      examples: number of ids.
      classes: number of class names, or 0 if there are none.

    Raises:
      UserError: the kind is unknown, or an array differs from its declaration; names folder and array.
    """
    try:
        declared = kind_folders.declaration(kind)
    except UserError as error:
        raise UserError(f'{folder}: {error}') from error
    _check_names(folder, kind, declared, arrays)
    lengths = {'n': examples} | ({'classes': classes} if classes else {})
    for name, array in arrays.items():
        _check_array(f'{folder}: {name}.npy', array, declared.field(name), lengths)
    for name, array in arrays.items():
        _check_indices(f'{folder}: {name}.npy', array, lengths.get(declared.field(name).below))


def _check_names(folder: Path, kind: str, declared: Kind, names: Iterable[str]) -> None:
    names = set(names)
    for name in sorted(names - set(declared.arrays)):
        if not name.isidentifier() or name in _RESERVED_NAMES or nearest(name, declared.arrays):
            raise UserError(
                f'{folder}: {kind} has no array {name!r:.100}. {did_you_mean(name, declared.arrays)} '
                'An additional array needs a distinct name of letters, digits and underscores.'
            )
    for group in declared.needs:
        if len(names.intersection(group)) != 1:
            needed = ' or '.join(map(repr, group))
            got = ', '.join(sorted(names)) or 'none'
            raise UserError(f'{folder}: {kind} needs one array {needed}; the arrays are: {got}.')


def _check_array(where: str, array: np.ndarray, field: Field, lengths: dict[str, int]) -> None:
    """Checks dtype and shape. Adds the axes that the array defines to `lengths`."""
    _check_dtype(where, array, field)
    axes = field.axes.split()
    mismatch = f'{where} has shape {list(array.shape)}, but [{", ".join(axes)}] is needed'
    if (field is not ADDITIONAL and array.ndim != len(axes)) or not array.ndim:
        raise UserError(f'{mismatch}.')
    for axis, size in zip(axes, array.shape, strict=field is not ADDITIONAL):
        expected = int(axis) if axis.isdigit() else lengths.setdefault(axis, size)
        if size != expected:
            raise UserError(f'{mismatch} and {_AXIS_NAMES.get(axis, axis)} is {expected}.')


def _check_dtype(where: str, array: np.ndarray, field: Field) -> None:
    if field is ADDITIONAL:
        if array.dtype.kind not in 'biuf' or not array.dtype.isnative:
            raise UserError(f'{where} holds {array.dtype.str}, but plain little-endian numbers are needed.')
    # Dtypes are compared, not their names: big-endian arrays have the same names.
    elif array.dtype not in map(np.dtype, field.dtypes):
        raise UserError(f'{where} holds {array.dtype}, but {" or ".join(field.dtypes)} is needed.')


def _check_indices(where: str, array: np.ndarray, limit: int | None) -> None:
    if limit is None or not array.size:
        return
    for value in (int(array.min()), int(array.max())):
        if not 0 <= value < limit:
            raise UserError(f'{where} holds {value}, but only 0 to {limit - 1} are valid.')
