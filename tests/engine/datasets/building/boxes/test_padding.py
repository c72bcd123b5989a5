"""Boxes of varying number as fields of one shape: none is lost, and what does not fit is one message."""

from typing import Any

import numpy as np
import pytest

from engine.datasets.building.boxes.padding import features, padded
from engine.errors import UserError

BOX = (1, 2, 30, 4.5)


@pytest.mark.parametrize('count', [0, 1, 3])
def test_boxes_come_first_and_padding_has_no_class(count: int) -> None:
    fields = padded('a', [BOX] * count, ['cat'] * count, 3, crowd=[True] * count, areas=[7.5] * count)
    assert fields['count'] == count
    assert fields['classes'] == ['cat'] * count + [-1] * (3 - count)
    np.testing.assert_array_equal(fields['boxes'], [BOX] * count + [(0, 0, 0, 0)] * (3 - count))
    assert fields['crowd'].tolist() == [True] * count + [False] * (3 - count)
    assert fields['areas'].tolist() == [7.5] * count + [0] * (3 - count)


@pytest.mark.parametrize('number', [int, np.int64])
def test_features_hold_what_padding_gives(number: Any) -> None:
    stated = features(['cat', 'dog'], 3, crowd=True, areas=True)
    fields = padded('a', np.array([BOX]), [number(1)], 3, crowd=np.array([False]), areas=[2])
    assert fields.keys() == stated.keys()
    encoded = {name: stated[name].encode_example(value) for name, value in fields.items()}
    assert np.asarray(encoded['classes']).tolist() == [1, -1, -1]
    assert encoded['boxes'].shape == (3, 4)


@pytest.mark.parametrize(
    ('boxes', 'classes', 'more', 'message'),
    [
        ([BOX] * 4, [0] * 4, {}, r"'a\.jpg' has 4 boxes, and the builder states max_boxes = 3"),
        ([BOX], [], {}, "'a.jpg' has 1 boxes but 0 classes"),
        ([BOX], [0], {'crowd': [True, False]}, 'has 1 boxes but 2 crowd'),
        ([BOX], [0], {'areas': []}, 'has 1 boxes but 0 areas'),
        ([BOX, BOX], [0, -1], {}, 'has a box of class -1, which marks padding'),
        ([(5, 2, 3, 4)], [0], {}, r'has the box \[5.0, 2.0, 3.0, 4.0\], but'),
        ([(1, 2, 3, float('nan'))], [0], {}, 'has the box .*nan'),
        ([(1, 2, float('inf'), 4)], [0], {}, 'has the box .*inf'),
        ([(1, 2, 3)], [0], {}, r"'a.jpg': its boxes have the shape \[1, 3\], but \[m, 4\]"),
        (np.zeros((1, 2, 4)), [0], {}, r'shape \[1, 2, 4\]'),
    ],
)
def test_what_does_not_fit_is_one_message(boxes: Any, classes: Any, more: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        padded('a.jpg', boxes, classes, 3, **more)
