"""The check that the arrays of an outputs folder are what its kind declares."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from engine.errors import UserError, did_you_mean, nearest
from engine.outputs import kind_folders
from engine.outputs.kind import FURTHER, Arrays, Field, Kind

_AXES = {'n': 'the number of ids', 'classes': 'the number of classes'}
_RESERVED = ('ids', 'class_names')  # metrics and .npz files know something else by these names


def check(folder: Path, kind: str, arrays: Arrays, examples: int, classes: int) -> None:
    """Checks names, dtypes, shapes and indices of the arrays of an outputs folder.

    Args:
      folder: the folder, for the message.
      kind: name of the kind.
      arrays: the arrays by name.
      examples: number of ids.
      classes: number of class names, or 0 if there are none.

    Raises:
      UserError: the kind is unknown, or an array is not as declared; names the folder and the array.
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
        if not name.isidentifier() or name in _RESERVED or nearest(name, declared.arrays):
            raise UserError(
                f'{folder}: {kind} has no array {name!r:.100}. {did_you_mean(name, declared.arrays)} '
                'A further array needs a name of its own: letters, digits and underscores.'
            )
    for group in declared.needs:
        if len(names.intersection(group)) != 1:
            needed = ' or '.join(map(repr, group))
            got = ', '.join(sorted(names)) or 'none'
            raise UserError(f'{folder}: {kind} needs one array {needed}; the arrays are: {got}.')


def _check_array(where: str, array: np.ndarray, field: Field, lengths: dict[str, int]) -> None:
    """Checks dtype and shape; adds to `lengths`, the known axes, those that this array defines."""
    _check_dtype(where, array, field)
    axes = field.axes.split()
    mismatch = f'{where} has shape {list(array.shape)}, but [{", ".join(axes)}] is needed'
    if (field is not FURTHER and array.ndim != len(axes)) or not array.ndim:
        raise UserError(f'{mismatch}.')
    for axis, size in zip(axes, array.shape, strict=field is not FURTHER):
        expected = int(axis) if axis.isdigit() else lengths.setdefault(axis, size)
        if size != expected:
            raise UserError(f'{mismatch} and {_AXES.get(axis, axis)} is {expected}.')


def _check_dtype(where: str, array: np.ndarray, field: Field) -> None:
    if field is FURTHER:
        if array.dtype.kind not in 'biuf' or not array.dtype.isnative:
            raise UserError(f'{where} holds {array.dtype.str}, but plain little-endian numbers are needed.')
    # Not by name: an array in the other byte order has the same name.
    elif array.dtype not in map(np.dtype, field.dtypes):
        raise UserError(f'{where} holds {array.dtype}, but {" or ".join(field.dtypes)} is needed.')


def _check_indices(where: str, array: np.ndarray, limit: int | None) -> None:
    if limit is None or not array.size:
        return
    for value in (int(array.min()), int(array.max())):
        if not 0 <= value < limit:
            raise UserError(f'{where} holds {value}, but only 0 to {limit - 1} have a meaning.')
