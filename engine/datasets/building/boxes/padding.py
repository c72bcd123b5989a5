"""The fields of boxes that a builder states, and what an example fills them with.

Batches hold arrays of one shape, so each example has `max_boxes` boxes, of which the first `count` exist. The
others are padding: their class is -1, and their other numbers are 0.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import UserError

BOXES, CLASSES, COUNT = 'boxes', 'classes', 'count'
CROWD, AREAS = 'crowd', 'areas'
PADDING = -1  # the class of a box that does not exist

# TensorFlow Datasets takes a second to import, so only the functions that need it import it.


def features(
    class_names: Sequence[str], max_boxes: int, *, crowd: bool = False, areas: bool = False
) -> dict[str, Any]:
    """Returns the features of padded boxes, for the `fields` of a builder.

    >>> sorted(features(['cat', 'dog'], 4))
    ['boxes', 'classes', 'count']

    Args:
      class_names: the names of the classes.
      max_boxes: the largest number of boxes of an example.
      crowd: whether it is known which boxes surround a crowd.
      areas: whether areas are known, such as those of masks.

    Returns:
      `boxes` f32 [max_boxes, 4], x0, y0, x1 and y1 in pixels of the upright original image; `classes` int32
      [max_boxes]; `count` int32 []; if known, `crowd` bool [max_boxes] and `areas` f32 [max_boxes], pixels.
    """
    import tensorflow_datasets as tfds

    label = tfds.features.ClassLabel(names=list(class_names))
    doc = 'x0, y0, x1, y1 in pixels of the upright original image; 0 for padding.'
    return {
        BOXES: tfds.features.Tensor(shape=(max_boxes, 4), dtype=np.float32, doc=doc),
        CLASSES: tfds.features.Sequence(label, length=max_boxes, doc='-1 for padding.'),
        COUNT: tfds.features.Scalar(np.int32, doc='Number of boxes that exist; they come first.'),
        **({CROWD: tfds.features.Tensor(shape=(max_boxes,), dtype=np.bool_)} if crowd else {}),
        **({AREAS: tfds.features.Tensor(shape=(max_boxes,), dtype=np.float32)} if areas else {}),
    }


def padded(
    identity: str,
    boxes: Any,
    classes: Sequence[str | int] | np.ndarray,
    max_boxes: int,
    *,
    crowd: Any = None,
    areas: Any = None,
) -> dict[str, Any]:
    """Returns the fields that `features` states, for the boxes of one example.

    >>> padded('a.jpg', [(1, 2, 3, 4)], ['cat'], max_boxes=2)['classes']
    ['cat', -1]

    Args:
      identity: the id of the example, for messages.
      boxes: x0, y0, x1, y1 of each of m boxes, [m, 4]; [] for none.
      classes: name or index of the class of each, [m].
      max_boxes: the number that the features state.
      crowd: whether each surrounds a crowd, [m], if the features state it.
      areas: the area of each, [m], if the features state it.

    Raises:
      UserError: there are more boxes than `max_boxes`, their numbers differ, or a box is not valid.
    """
    corners = np.asarray(boxes, np.float64)
    corners = corners.reshape(-1, 4) if not corners.size else corners
    given = {CLASSES: list(classes)} | {
        name: np.asarray(values).tolist()
        for name, values in ((CROWD, crowd), (AREAS, areas))
        if values is not None
    }
    _check(identity, corners, given, max_boxes)
    missing = max_boxes - len(corners)
    fields = {
        BOXES: np.pad(corners, ((0, missing), (0, 0))).astype(np.float32),
        CLASSES: [*given[CLASSES], *[PADDING] * missing],
        COUNT: np.int32(len(corners)),
    }
    if crowd is not None:
        fields[CROWD] = np.array([*given[CROWD], *[False] * missing], bool)
    if areas is not None:
        fields[AREAS] = np.array([*given[AREAS], *[0] * missing], np.float32)
    return fields


def _check(identity: str, corners: np.ndarray, given: Mapping[str, Sequence[Any]], max_boxes: int) -> None:
    """Raises `UserError`, with the id, unless the boxes of an example are valid and fit."""
    if corners.shape[1:] != (4,):
        raise UserError(
            f'{identity!r}: its boxes have the shape {list(corners.shape)}, but [m, 4] is needed: x0, y0, '
            'x1, y1 of each.'
        )
    if len(corners) > max_boxes:
        raise UserError(
            f'{identity!r} has {len(corners)} boxes, and the builder states max_boxes = {max_boxes}. No box '
            'may be lost in silence: state the largest number of the data, or leave this example out.'
        )
    for name, values in given.items():
        if len(values) != len(corners):
            raise UserError(
                f'{identity!r} has {len(corners)} boxes but {len(values)} {name}. Give one for each.'
            )
    if any(value == PADDING for value in given[CLASSES]):
        raise UserError(
            f'{identity!r} has a box of class {PADDING}, which marks padding. Leave out that box.'
        )
    wrong = ~np.isfinite(corners).all(1) | (corners[:, 2:] < corners[:, :2]).any(1)
    for place in np.flatnonzero(wrong)[:1]:
        raise UserError(
            f'{identity!r} has the box {corners[place].tolist()}, but (x0, y0, x1, y1) with x0 <= x1 and '
            'y0 <= y1 is needed. Other formats hold x, y, width, height, or y before x.'
        )
