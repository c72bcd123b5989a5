"""Boxes of a task under `jax.jit`, k for every example, stored one after another."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.errors import ExampleError, UserError
from engine.outputs.kind import Arrays

_WIDTHS = {'boxes': (4,), 'sides': (2,)}  # further axes of the arrays [n, k, ...]
_PER_BOX = ('boxes', 'classes', 'scores', 'sides', 'areas', 'crowd')


def pack(arrays: Arrays) -> dict[str, np.ndarray]:
    """Stores the boxes of all examples one after another.

    >>> boxes, classes = np.zeros((2, 3, 4), np.float32), np.array([[1, 0, -1], [-1, -1, -1]])
    >>> pack({'boxes': boxes, 'classes': classes, 'scores': np.ones((2, 3))})['example'].tolist()
    [0, 0]

    A task under `jax.jit` returns k boxes for every example. Those that do not exist have the class -1. If
    the task returns `counts` too, the first `counts` boxes exist. Labels can have the same form, as
    `target_boxes` and `target_classes`, and, if known, `target_counts`, `target_areas`, `target_crowd` and
    `target_sides`.

    Args:
      arrays: `boxes` f32 [n, k, 4], `scores` f32 [n, k], `classes` i32 [n, k], and `counts` int [n] if known.
        Arrays of predictions or labels that are already stored one after another stay unchanged.

    Returns:
      `boxes` f32 [m, 4], `scores` f32 [m], `classes` i32 [m], and the row of each box, `example` i32 [m].

    Raises:
      UserError: shapes do not fit together, or an example has a number of boxes, a box, a class or a score
        that is not valid.
    """
    packed = dict(arrays)
    for prefix in ('', 'target_'):
        counts = packed.pop(f'{prefix}counts', None)
        if counts is not None or _are_padded(packed, prefix):
            packed |= _listed(packed, prefix, counts)
    return packed


def _are_padded(arrays: Arrays, prefix: str) -> bool:
    boxes, classes = (arrays.get(prefix + name) for name in ('boxes', 'classes'))
    return boxes is not None and classes is not None and boxes.ndim == 3 and classes.ndim == 2


def _listed(arrays: Arrays, prefix: str, counts: np.ndarray | None) -> dict[str, np.ndarray]:
    names = [prefix + name for name in _PER_BOX if prefix + name in arrays]
    _check_shapes(prefix, names, arrays, counts)
    if counts is None:
        exists = arrays[f'{prefix}classes'] >= 0
    else:
        k = arrays[names[0]].shape[1]
        _check_counts(f'{prefix}counts', counts, k)
        exists = np.arange(k) < counts[:, np.newaxis]
    rows, places = np.nonzero(exists)
    listed = {name: arrays[name][rows, places] for name in names}
    for name, values in listed.items():
        _check_values(name, name.removeprefix(prefix), values, rows)
    return listed | {f'{prefix}example': rows.astype(np.int32)}


def _check_shapes(prefix: str, names: Sequence[str], arrays: Arrays, counts: np.ndarray | None) -> None:
    """Raises `UserError` unless all arrays hold k boxes for each of n examples."""
    if not names:
        raise UserError(f'{prefix}counts counts boxes, but there are no {prefix}boxes.')
    if counts is not None and (counts.ndim != 1 or counts.dtype.kind not in 'iu'):
        raise UserError(
            f'{prefix}counts is {counts.dtype} {list(counts.shape)}, but whole numbers [n] are needed.'
        )
    n, k = (*arrays[names[0]].shape, 0, 0)[:2]
    for name in names:
        further = _WIDTHS.get(name.removeprefix(prefix), ())
        if arrays[name].shape != (n, k, *further) or arrays[name].ndim < 2:
            raise UserError(
                f'{name} has the shape {list(arrays[name].shape)}, but {_axes(further)} is needed, for k '
                f'boxes of each example: {names[0]} has the shape {list(arrays[names[0]].shape)}.'
            )
    if counts is not None and len(counts) != n:
        raise UserError(f'{prefix}counts has {len(counts)} rows, but {names[0]} has {n}.')


def _axes(further: Sequence[int]) -> str:
    return f'[{", ".join(["n", "k", *map(str, further)])}]'


def _check_counts(name: str, counts: np.ndarray, k: int) -> None:
    for row in np.flatnonzero((counts < 0) | (counts > k))[:1]:
        raise ExampleError(
            int(row),
            f'{name} is {counts[row]}, but there is room for k = {k} boxes, so 0 to {k} are valid. '
            'No box may be lost in silence: raise k, or count only those that are kept.',
        )


# What values of each array must be, and in which words.
_RULES: dict[str, tuple[Callable[[Any], Any], str]] = {
    'boxes': (
        lambda boxes: np.isfinite(boxes).all(-1) & (boxes[:, 2:] >= boxes[:, :2]).all(-1),
        'a box is (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1, in pixels of the original image',
    ),
    'classes': (lambda classes: classes >= 0, 'the class of a box that exists is an index from 0 on'),
    'scores': (
        lambda scores: (scores >= 0) & (scores <= 1),
        'a score is a number from 0 to 1, such as that of a sigmoid or softmax',
    ),
    'sides': (
        lambda sides: np.isfinite(sides).all(-1) & (sides >= 0).all(-1),
        'sides are width and height in pixels',
    ),
    'areas': (lambda areas: np.isfinite(areas) & (areas >= 0), 'an area is a number of pixels'),
}


def _check_values(name: str, subject: str, values: np.ndarray, rows: np.ndarray) -> None:
    """Raises `ExampleError` at the first box with a value that is not valid."""
    is_valid, rule = _RULES.get(subject, (lambda _: np.ones(len(values), bool), ''))
    for place in np.flatnonzero(~is_valid(values))[:1]:
        raise ExampleError(int(rows[place]), f'{name} holds {values[place].tolist()}, but {rule}.')
