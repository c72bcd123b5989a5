"""Boxes of all images, true and predicted, as an outputs folder holds them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import UserError
from engine.evaluation.kind_evaluation import require
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs

TARGET_ARRAYS = ('target_boxes', 'target_classes', 'target_example')


@dataclass(frozen=True)
class BoxList:
    """Boxes with their images.

    Attributes:
      corners: x0 and y0 of each box, f64 [m, 2].
      sides: width and height, f64 [m, 2].
      classes: class of each box, int [m].
      images: row of the image of each box, int [m].
      areas: area by which a box is small or large, f64 [m].
      crowd: whether a box surrounds a crowd, in which any number of boxes match, bool [m].
      scores: confidence of each box, f64 [m]; 0 for targets.
    """

    corners: np.ndarray
    sides: np.ndarray
    classes: np.ndarray
    images: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, arrays: Arrays, prefix: str) -> 'BoxList':
        """Takes the targets, prefix 'target_', or the predictions, prefix '', of outputs."""
        boxes = arrays[f'{prefix}boxes'].astype(np.float64)
        sides = sides_of(arrays, prefix)
        m = len(boxes)
        return cls(
            boxes[:, :2],
            sides,
            arrays[f'{prefix}classes'],
            arrays[f'{prefix}example'],
            np.asarray(arrays.get(f'{prefix}areas', sides.prod(axis=1)), np.float64),
            np.asarray(arrays.get(f'{prefix}crowd', np.zeros(m)), bool),
            np.zeros(m) if prefix else arrays['scores'].astype(np.float64),
        )


def sides_of(arrays: Arrays, prefix: str) -> np.ndarray:
    """Returns width and height of the boxes, f64 [m, 2]: those of `sides`, or differences of corners."""
    if f'{prefix}sides' in arrays:
        return np.asarray(arrays[f'{prefix}sides'], np.float64)
    boxes = arrays[f'{prefix}boxes'].astype(np.float64)
    return boxes[:, 2:] - boxes[:, :2]


def corners_and_sides(boxes: np.ndarray, prefix: str) -> dict[str, np.ndarray]:
    """Returns the arrays of boxes (x, y, width, height), as other formats have them.

    >>> corners_and_sides(np.array([[1, 2, 3, 4.0]]), '')['boxes'].tolist()
    [[1.0, 2.0, 4.0, 6.0]]

    Args:
      boxes: f64 [m, 4].
      prefix: 'target_' or ''.

    Returns:
      `boxes` (x0, y0, x1, y1), f64 [m, 4], and `sides`, f64 [m, 2], if differences of corners differ from
      them by rounding.
    """
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    exact = np.array_equal(corners[:, 2:] - corners[:, :2], boxes[:, 2:])
    return {f'{prefix}boxes': corners} | ({} if exact else {f'{prefix}sides': boxes[:, 2:]})


def image_ids(outputs: Outputs) -> Sequence[int | str]:
    """Returns the ids of the images in COCO's files: `image_ids`, or ids that are numbers, or ids."""
    if 'image_ids' in outputs.arrays:
        return outputs.arrays['image_ids'].tolist()
    ids = outputs.ids
    if not all(name.isascii() and name.isdigit() for name in ids):
        return ids
    numbers = [int(name) for name in ids]
    return numbers if len(set(numbers)) == len(ids) else ids


def image_ranks(outputs: Outputs) -> np.ndarray:
    """Returns the rank of each image by its number, int [n], or its row if there are no numbers."""
    ids = image_ids(outputs)
    if isinstance(ids[0], str):
        return np.arange(len(ids))
    return np.unique(ids, return_inverse=True)[1]


def check(outputs: Outputs) -> None:
    """Raises `UserError` unless there are targets, and boxes, sides, areas and scores are valid."""
    require(outputs, *TARGET_ARRAYS)
    arrays = outputs.arrays
    if not len(arrays['target_boxes']):
        raise UserError(f'{outputs.folder}: target_boxes.npy is empty, so there is nothing to evaluate.')
    if len(set(image_ids(outputs))) < len(outputs.ids):
        raise UserError(f'{outputs.folder}: image_ids.npy holds a number twice. Each image has its own.')
    for name in ('scores', 'target_areas'):
        if name in arrays and not np.all(np.isfinite(arrays[name])):
            raise UserError(f'{outputs.folder}: {name}.npy holds NaN or infinity.')
    for prefix in ('', 'target_'):
        boxes = arrays[f'{prefix}boxes']
        wrong = ~np.isfinite(boxes).all(1) | (boxes[:, 2:] < boxes[:, :2]).any(1)
        _check_none(
            outputs, prefix, 'boxes', wrong, 'a box: it must be (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1'
        )
        if f'{prefix}sides' in arrays:
            _check_none(outputs, prefix, 'sides', _differ(arrays, prefix), 'width and height of its box')


def _differ(arrays: Arrays, prefix: str) -> np.ndarray:
    """Returns whether sides differ from those between the corners by more than rounding, bool [m]."""
    boxes, sides = arrays[f'{prefix}boxes'], arrays[f'{prefix}sides']
    rounding = 8 * np.finfo(boxes.dtype).eps * np.abs(boxes).max(axis=1, initial=0)
    between = boxes[:, 2:].astype(np.float64) - boxes[:, :2]
    return ~(np.abs(between - sides) <= rounding[:, np.newaxis]).all(1) | (sides < 0).any(1)


def _check_none(outputs: Outputs, prefix: str, name: str, wrong: np.ndarray, what: str) -> None:
    for place in np.flatnonzero(wrong)[:1]:
        numbers = outputs.arrays[f'{prefix}{name}'][place].tolist()
        image = outputs.ids[outputs.arrays[f'{prefix}example'][place]]
        raise UserError(
            f'{outputs.folder}: {prefix}{name}.npy holds {numbers} for {image!r}, which is not {what}.'
        )
