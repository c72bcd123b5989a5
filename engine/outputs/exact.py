"""Conversion of arrays to the dtypes that a kind declares, if no number changes.

Other libraries have other defaults: NumPy and PyTorch count in int64, pandas computes in float64.
"""

import numpy as np

from engine.errors import UserError
from engine.outputs.kind import Field


def converted(where: str, array: np.ndarray, field: Field) -> np.ndarray:
    """Returns an array in the first dtype of its field that holds all of its numbers exactly.

    >>> converted('labels.npy', np.array([0, 2]), Field('int32', 'n')).dtype
    dtype('int32')

    Args:
      where: the file, for messages.
      array: the array.
      field: its declaration.

    Returns:
      The array itself if it has a dtype of the field, else a copy.

    Raises:
      UserError: no dtype of the field holds all of the numbers.
    """
    # Dtypes are compared, not their names: big-endian arrays have the same names.
    if array.dtype in map(np.dtype, field.dtypes):
        return array
    wanted = f'{where} holds {array.dtype}, but {field.dtypes_in_words} is needed'
    if not _is_convertible(array.dtype, field):
        raise UserError(f'{wanted}.')
    for dtype in field.dtypes:
        copy, same = _cast(array, dtype)
        if same.all():
            return copy
    _, same = _cast(array, field.dtype)
    raise UserError(f'{wanted}, and {array[~same].flat[0]} is not such a number.')


def _is_convertible(dtype: np.dtype, field: Field) -> bool:
    """Returns whether numbers of a dtype can mean what the field means."""
    # Images of fractions or booleans range from 0 to 1, those of uint8 to 255: even whole numbers differ.
    is_image = field.dtype == 'uint8' and not field.below
    return dtype.isnative and dtype.kind in ('iu' if is_image else 'biuf')


def _cast(array: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns an array in a dtype, and for each number whether it is the same."""
    with np.errstate(all='ignore'):
        copy = np.asarray(array).astype(dtype)
        back = copy.astype(array.dtype)
    return copy, (back == array) & _has_same_sign(copy, array) | _are_nan(back, array)


def _has_same_sign(copy: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Returns whether signs are equal: a number that wraps around comes back from there as it was."""
    return (copy < 0) == (array < 0)


def _are_nan(back: np.ndarray, array: np.ndarray) -> np.ndarray:
    return (back != back) & (array != array)
