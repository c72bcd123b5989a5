"""The arrays of an outputs folder as the declaration of its kind wants them, or a message."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import ExampleError, UserError, did_you_mean, nearest
from engine.outputs import kind_folders
from engine.outputs.exact import converted
from engine.outputs.kind import ADDITIONAL, Arrays, Decode, Field, Kind
from engine.outputs.manifest import ArrayEntry, Manifest
from engine.outputs.pictures.sequence import Pictures, sizes

_AXIS_NAMES = {'n': 'the number of ids', 'classes': 'the number of classes'}
_RESERVED_NAMES = ('ids', 'class_names')  # parameters of metrics and entries of .npz files
_TYPING_ERROR = 0.75  # similarity of 'box' and 'boxes'; 'holes' or 'second_logits' are names of their own


def packed(
    kind: Kind, arrays: Arrays, ids: Sequence[str], decode: Decode | None = None
) -> dict[str, np.ndarray]:
    """Returns a task's predictions and labels, each [n, ...], as the arrays of a kind.

    Args:
      kind: the kind.
      arrays: what its `pack` takes.
      ids: one per example, for messages.
      decode: of the task's description.

    Raises:
      UserError: an array does not fit; names the example.
    """
    try:
        return kind.pack(kind.pack_tokens(arrays, decode) if kind.pack_tokens else arrays)
    except ExampleError as error:
        raise UserError(f'{ids[error.row]!r}: {error}') from None


def checked(folder: Path, manifest: Manifest, arrays: Arrays, examples: int) -> dict[str, np.ndarray]:
    """Checks names, shapes and indices of the arrays of an outputs folder, and converts their dtypes.

    Args:
      folder: the folder, for the message.
      manifest: states the kind, the classes and the ignore label.
      arrays: the arrays by name.
      examples: number of ids.

    Returns:
      The arrays in the dtypes of the kind. Arrays that have one of these dtypes are not copied.

    Raises:
      UserError: the kind is unknown, or an array differs from its declaration; names folder and array.
    """
    kind, classes = manifest.kind, manifest.classes
    try:
        declared = kind_folders.declaration(kind)
    except UserError as error:
        raise UserError(f'{folder}: {error}') from error
    _check_names(folder, kind, declared, arrays)
    lengths = {'n': examples} | ({'classes': classes} if classes else {})
    files = {name: f'{folder}: {ArrayEntry.of(name, array, "").file}' for name, array in arrays.items()}
    arrays = {name: _in_dtype(files[name], array, declared.field(name)) for name, array in arrays.items()}
    for name, array in arrays.items():
        _check_shape(files[name], array, declared.field(name), lengths)
    _check_sizes(folder, declared, arrays)
    for name, array in arrays.items():
        field = declared.field(name)
        if field.below:
            values = array.values if isinstance(array, Pictures) else array
            counted = values[~manifest.is_ignored(values)] if field.may_ignore else values
            counted = counted[counted >= 0] if field.padded else counted
            _check_indices(files[name], counted, lengths.get(field.below))
        if field.lengths_of and not isinstance(array, Pictures):
            _check_lengths(files[name], array, field.lengths_of, lengths)
    return arrays


def _check_names(folder: Path, kind: str, declared: Kind, names: Iterable[str]) -> None:
    names = set(names)
    for name in sorted(names - set(declared.arrays)):
        is_misspelt = bool(nearest(name, declared.arrays, cutoff=_TYPING_ERROR))
        if not name.isidentifier() or name in _RESERVED_NAMES or is_misspelt:
            raise UserError(
                f'{folder}: {kind} has no array {name!r:.100}. {did_you_mean(name, declared.arrays)} '
                'An additional array needs a distinct name of letters, digits and underscores.'
            )
    for group in declared.needs:
        if len(names.intersection(group)) != 1:
            needed = ' or '.join(map(repr, group))
            got = ', '.join(sorted(names)) or 'none'
            raise UserError(f'{folder}: {kind} needs one array {needed}; the arrays are: {got}.')


def _check_shape(where: str, array: np.ndarray, field: Field, lengths: dict[str, int]) -> None:
    """Checks the shape. Adds the axes that the array defines to `lengths`."""
    axes = field.axes.split()
    mismatch = f'{where} has shape {list(array.shape)}, but [{", ".join(axes)}] is needed'
    if (field is not ADDITIONAL and array.ndim != len(axes)) or not array.ndim:
        raise UserError(f'{mismatch}.')
    for axis, size in zip(axes, array.shape, strict=field is not ADDITIONAL):
        if size is None:
            continue
        expected = int(axis) if axis.isdigit() else lengths.setdefault(axis, size)
        if size != expected:
            raise UserError(f'{mismatch} and {_AXIS_NAMES.get(axis, axis)} is {expected}.')


def _check_sizes(folder: Path, declared: Kind, arrays: Arrays) -> None:
    """Raises `UserError` if pictures of varying size differ in size from others of the same example."""
    first: dict[str, str] = {}
    varying = any(isinstance(array, Pictures) for array in arrays.values())
    for name in (name for name in arrays if varying and declared.field(name).may_vary):
        other = first.setdefault(' '.join(declared.field(name).axes.split()[1:3]), name)
        one, two = sizes(arrays[other]), sizes(arrays[name])
        for row in np.flatnonzero((one != two).any(1))[:1]:
            raise UserError(
                f'{folder}: {other} of example {row}, counted from 0, is {one[row][0]} pixels high and '
                f'{one[row][1]} wide, but {name} is {two[row][0]} by {two[row][1]}. Save both in one size.'
            )


def _in_dtype(where: str, array: Any, field: Field) -> Any:
    if isinstance(array, Pictures):
        if not array.sizes.all():
            raise UserError(f'{where} has a picture without pixels: height or width is 0.')
        if not field.may_vary:
            raise UserError(f'{where} holds pictures of varying size, but an array of one shape is needed.')
        if array.dtype in map(np.dtype, field.dtypes):
            return array
        return array.astype(converted(where, array.values, field).dtype)
    if field is not ADDITIONAL:
        return converted(where, array, field)
    if array.dtype.kind not in 'biuf' or not array.dtype.isnative:
        raise UserError(f'{where} holds {array.dtype.str}, but plain little-endian numbers are needed.')
    return array


def _check_indices(where: str, array: np.ndarray, limit: int | None) -> None:
    if not array.size:
        return
    for value in (int(array.min()), int(array.max())):
        if value < 0 or (limit is not None and value >= limit):
            valid = '0 and more' if limit is None else f'0 to {limit - 1}'
            raise UserError(f'{where} holds {value}, but only {valid} are valid.')


def _check_lengths(where: str, array: np.ndarray, axis: str, lengths: dict[str, int]) -> None:
    """Raises `UserError` unless lengths are not negative and sum to the length of their axis."""
    if (array < 0).any():
        raise UserError(f'{where} holds {array.min()}, but a length is 0 or more.')
    total = int(array.sum(dtype=np.int64))
    if axis not in lengths:
        raise UserError(f'{where} holds lengths, but the array that they divide is missing.')
    if total != lengths[axis]:
        raise UserError(f'{where} holds lengths whose sum is {total}, but there are {lengths[axis]} {axis}.')
