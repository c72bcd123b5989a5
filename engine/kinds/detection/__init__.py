"""Outputs of kind `detection`: boxes with classes and scores, any number per example."""

from collections.abc import Sequence

import numpy as np

from engine.errors import UserError
from engine.outputs.kind import INPUTS, Arrays, Field, Kind


def pack(arrays: Arrays) -> dict[str, np.ndarray]:
    """Stores the boxes of all examples one after another.

    >>> boxes, counts = np.zeros((2, 3, 4), np.float32), np.array([1, 2])
    >>> pack({'boxes': boxes, 'counts': counts})['example'].tolist()
    [0, 1, 1]

    A task under `jax.jit` returns k boxes for every example. The first `counts` of them are valid. Labels
    can have the same form, as `target_boxes`, `target_classes`, `target_counts` and, if known, `target_areas`
    and `target_crowd`.

    Args:
      arrays: `boxes` f32 [n, k, 4], `scores` f32 [n, k], `classes` i32 [n, k] and `counts` int [n]. Without
        `counts` or `target_counts`, the arrays of predictions or labels stay unchanged.

    Returns:
      `boxes` f32 [m, 4], `scores` f32 [m], `classes` i32 [m], and the row of each box, `example` i32 [m].
    """
    packed = dict(arrays)
    for prefix in ('', 'target_'):
        if f'{prefix}counts' in packed:
            packed |= _listed(packed, prefix, packed.pop(f'{prefix}counts'))
    return packed


_PER_BOX = ('boxes', 'classes', 'scores', 'sides', 'areas', 'crowd')


def _listed(arrays: Arrays, prefix: str, counts: np.ndarray) -> dict[str, np.ndarray]:
    names = [prefix + name for name in _PER_BOX if prefix + name in arrays]
    _check_padded(prefix, names, arrays, counts)
    valid = np.arange(arrays[names[0]].shape[1]) < counts[:, np.newaxis]
    owners = np.nonzero(valid)[0].astype(np.int32)
    return {name: arrays[name][valid] for name in names} | {f'{prefix}example': owners}


def _check_padded(prefix: str, names: Sequence[str], arrays: Arrays, counts: np.ndarray) -> None:
    """Raises `UserError` unless all arrays hold k boxes for each of n examples."""
    if counts.ndim != 1 or counts.dtype.kind not in 'iu':
        raise UserError(
            f'{prefix}counts is {counts.dtype} {list(counts.shape)}, but whole numbers [n] are needed.'
        )
    for name in names:
        shape, first = arrays[name].shape, arrays[names[0]].shape
        if len(shape) < 2 or shape[:2] != first[:2]:
            raise UserError(
                f'{name} has the shape {list(shape)} and {names[0]} {list(first)}, '
                f'but with {prefix}counts each begins with the axes [n, k], for k boxes of each example.'
            )
    if not names:
        raise UserError(f'{prefix}counts counts boxes, but there are no {prefix}boxes.')


KIND = Kind(
    arrays={
        'boxes': Field('float32', 'm 4'),
        'scores': Field('float32', 'm'),
        'classes': Field('int32', 'm', below='classes'),
        'example': Field('int32', 'm', below='n'),
        'sides': Field('float64', 'm 2'),
        'target_boxes': Field('float32', 't 4'),
        'target_classes': Field('int32', 't', below='classes'),
        'target_example': Field('int32', 't', below='n'),
        'target_sides': Field('float64', 't 2'),
        'target_areas': Field('float64', 't'),
        'target_crowd': Field('bool', 't'),
        'image_ids': Field('int64', 'n'),
        **INPUTS,
    },
    needs=(('boxes',), ('scores',), ('classes',), ('example',)),
    from_data=(
        'target_boxes',
        'target_classes',
        'target_example',
        'target_sides',
        'target_areas',
        'target_crowd',
    ),
    may_lack=('target_sides', 'target_areas', 'target_crowd'),
    pack=pack,
    takes='boxes [n, k, 4], scores [n, k], classes [n, k] and counts [n]',
)
