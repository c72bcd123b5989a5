"""The kinds of outputs: which arrays each holds, and the check that they are so. Imports NumPy alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Field:
    """One array of a kind.

    Attributes:
      dtype: name of its NumPy dtype.
      axes: one word per axis: a number is its length; a name is one length throughout the folder.
        `n` counts the examples and `classes` the classes.
      below: the axis that the array's values are indices of, if they are indices.
      also: name of another dtype that the array may have, or ''.
    """

    dtype: str
    axes: str
    below: str = ''
    also: str = ''

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that the array may have."""
        return (self.also, self.dtype) if self.also else (self.dtype,)


@dataclass(frozen=True)
class Kind:
    """What outputs of one kind hold.

    Attributes:
      needs: of each group of names, exactly one array must be there. The others, the truth, may be missing.
      arrays: every array that may stand in the folder.
    """

    needs: tuple[tuple[str, ...], ...]
    arrays: Mapping[str, Field]


# Of any kind that is predicted from pictures, these, small: for people, who look for what went wrong.
INPUTS = {'inputs': Field('uint8', 'n ih iw ic')}

KINDS: Mapping[str, Kind] = {
    'classification': Kind(
        needs=(('logits', 'probabilities'),),
        arrays={
            'logits': Field('float32', 'n classes', also='float16'),
            'probabilities': Field('float32', 'n classes', also='float16'),
            'labels': Field('int32', 'n', below='classes'),
            **INPUTS,
        },
    ),
    'segmentation': Kind(
        needs=(('masks',),),
        arrays={
            'masks': Field('uint8', 'n h w', below='classes'),
            'targets': Field('uint8', 'n h w', below='classes'),
            **INPUTS,
        },
    ),
    'detection': Kind(
        needs=(('boxes',), ('scores',), ('classes',), ('example',)),
        arrays={
            'boxes': Field('float32', 'm 4'),
            'scores': Field('float32', 'm'),
            'classes': Field('int32', 'm', below='classes'),
            'example': Field('int32', 'm', below='n'),
            'target_boxes': Field('float32', 't 4'),
            'target_classes': Field('int32', 't', below='classes'),
            'target_example': Field('int32', 't', below='n'),
            **INPUTS,
        },
    ),
    'image': Kind(
        needs=(('images',),),
        arrays={'images': Field('uint8', 'n h w c'), 'targets': Field('uint8', 'n h w c'), **INPUTS},
    ),
    'generation': Kind(
        needs=(('samples',), ('features',)),
        arrays={
            'samples': Field('uint8', 'n h w c'),
            'features': Field('float32', 'n d'),
            'reference_features': Field('float32', 'r d'),
        },
    ),
    'language': Kind(
        needs=(('log_probs',), ('lengths',)),
        arrays={'log_probs': Field('float32', 'n'), 'lengths': Field('int32', 'n')},
    ),
    'regression': Kind(
        needs=(('values',),),
        arrays={'values': Field('float32', 'n d'), 'targets': Field('float32', 'n d'), **INPUTS},
    ),
}

_AXES = {'n': 'the number of ids', 'classes': 'the number of classes'}


def check(folder: Path, kind: str, arrays: Mapping[str, np.ndarray], examples: int, classes: int) -> None:
    """Checks that outputs are what their kind states: names, dtypes, shapes and indices.

    Args:
      folder: where the outputs lie, for the message.
      kind: a key of `KINDS`, or else a mistake.
      arrays: name to array.
      examples: number of ids.
      classes: number of class names, or 0 where there are none.

    Raises:
      UserError: names the folder and the array.
    """
    if kind not in KINDS:
        raise UserError(f'{folder}: unknown kind of outputs {kind!r:.100}. {did_you_mean(kind, KINDS)}')
    _check_names(folder, kind, arrays)
    fields = KINDS[kind].arrays
    lengths = {'n': examples} | ({'classes': classes} if classes else {})
    for name, array in arrays.items():
        _check_array(f'{folder}: {name}.npy', array, fields[name], lengths)
    for name, array in arrays.items():
        _check_indices(f'{folder}: {name}.npy', array, lengths.get(fields[name].below))


def _check_names(folder: Path, kind: str, names: Iterable[str]) -> None:
    names = set(names)
    for name in sorted(names - set(KINDS[kind].arrays)):
        raise UserError(f'{folder}: {kind} has no array {name!r}. {did_you_mean(name, KINDS[kind].arrays)}')
    for group in KINDS[kind].needs:
        if len(names.intersection(group)) != 1:
            needed = ' or '.join(repr(each) for each in group)
            got = ', '.join(sorted(names)) or 'none'
            raise UserError(f'{folder}: {kind} needs one array {needed}; the arrays are: {got}.')


def _check_array(where: str, array: np.ndarray, field: Field, lengths: dict[str, int]) -> None:
    """Checks dtype and shape; `lengths`, of the axes known so far, gains those that this array tells."""
    # Not by name: an array in the other byte order has the same one.
    if array.dtype not in map(np.dtype, field.dtypes):
        raise UserError(f'{where} holds {array.dtype}, where {" or ".join(field.dtypes)} is needed.')
    axes = field.axes.split()
    mismatch = f'{where} has shape {list(array.shape)}, where [{", ".join(axes)}] is needed'
    if array.ndim != len(axes):
        raise UserError(f'{mismatch}.')
    for axis, size in zip(axes, array.shape, strict=True):
        expected = int(axis) if axis.isdigit() else lengths.setdefault(axis, size)
        if size != expected:
            raise UserError(f'{mismatch} and {_AXES.get(axis, axis)} is {expected}.')


def _check_indices(where: str, array: np.ndarray, limit: int | None) -> None:
    if limit is None or not array.size:
        return
    for value in (int(array.min()), int(array.max())):
        if not 0 <= value < limit:
            raise UserError(f'{where} holds {value}, where only 0 to {limit - 1} have a meaning.')
