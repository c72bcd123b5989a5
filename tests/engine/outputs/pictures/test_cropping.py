"""Padded pictures of a task become pictures of the size of each example, batch by batch."""

import gc
from typing import Any

import numpy as np
import pytest

from engine.errors import UserError
from engine.kinds import image, segmentation
from engine.outputs.check_arrays import packed
from engine.outputs.pictures import cropping
from engine.outputs.pictures.spool import PictureSpool

SIZES = np.array([[3, 4], [8, 6], [1, 1], [8, 2]])
IDS = list('abcd')


def padded(seed: int, channels: int | None = None) -> np.ndarray:
    shape = (4, 8, 6) if channels is None else (4, 8, 6, channels)
    return np.random.default_rng(seed).integers(3, size=shape, dtype=np.uint8)


@pytest.mark.parametrize(('kind', 'name', 'channels'), [(segmentation, 'masks', None), (image, 'images', 3)])
@pytest.mark.parametrize('of_targets', [{}, {'target_sizes': SIZES}, None])
def test_each_picture_is_the_upper_left(kind: Any, name: str, channels: int | None, of_targets: Any) -> None:
    arrays = {name: padded(0, channels), 'sizes': SIZES}
    if of_targets is not None:
        arrays |= {'targets': padded(1, channels)} | of_targets
    result: Any = packed(kind.KIND, arrays, IDS)
    assert result.keys() == {name} | ({'targets'} if of_targets is not None else set())
    for each in result:
        for row, (height, width) in enumerate(SIZES):
            np.testing.assert_array_equal(result[each][row], arrays[each][row][:height, :width])


def test_thumbnails_of_padded_inputs_are_cut_to_the_same_share() -> None:
    small = np.random.default_rng(0).integers(256, size=(4, 4, 3, 3), dtype=np.uint8)
    arrays = {'masks': padded(0), 'sizes': SIZES, 'inputs': small}
    inputs: Any = packed(segmentation.KIND, arrays, IDS)['inputs']
    assert [each.shape[:2] for each in inputs] == [(2, 2), (4, 3), (1, 1), (4, 1)]
    np.testing.assert_array_equal(inputs[3], small[3, :, :1])
    whole: Any = packed(segmentation.KIND, arrays | {'inputs': small[:, :2]}, IDS)['inputs']
    assert whole.shape == (4, 2, 3, 3)  # not proportional, so not a copy of the padded input


@pytest.mark.parametrize(
    ('sizes', 'message'),
    [
        (
            [[3, 4], [9, 6], [1, 1], [8, 2]],
            r"'b': sizes is \[9, 6\], but masks has room for a height from 1 to 8",
        ),
        ([[3, 4], [8, 6], [0, 1], [8, 2]], r"'c': sizes is \[0, 1\]"),
        ([[3, 4], [8, 6], [1, 1], [8, -2]], r"'d': sizes is \[8, -2\]"),
        ([[3, 4, 1]] * 4, r'sizes is int64 \[4, 3\] and masks \[4, 8, 6\], but whole numbers \[n, 2\]'),
        ([[3.0, 4.0]] * 4, r'sizes is float64 \[4, 2\]'),
        ([[3, 4]] * 3, r'sizes is int64 \[3, 2\]'),
    ],
)
def test_sizes_that_are_not_valid_are_one_message(sizes: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        packed(segmentation.KIND, {'masks': padded(0), 'sizes': np.array(sizes)}, IDS)


@pytest.mark.parametrize(('kind', 'name', 'channels'), [(segmentation, 'masks', None), (image, 'images', 3)])
def test_padding_does_not_count_as_agreement(kind: Any, name: str, channels: int | None) -> None:
    targets, predicted = padded(0, channels), padded(1, channels)
    for row, (height, width) in enumerate(SIZES):
        predicted[row, :height, :width] = targets[row, :height, :width]
    assert kind.KIND.agreement({name: predicted, 'sizes': SIZES}, {'targets': targets}) == 1
    predicted[1, 0, 0] = 3 - targets[1, 0, 0]
    assert kind.KIND.agreement({name: predicted, 'sizes': SIZES}, {'targets': targets}) < 1
    assert kind.KIND.agreement({name: predicted}, {'targets': targets}) < 0.9


def test_a_spool_keeps_all_batches_without_their_padding() -> None:
    spool, kept = PictureSpool(), []
    for seed, ids in ((0, IDS), (1, IDS[:3])):
        arrays = {'masks': padded(seed), 'sizes': SIZES, 'scores': np.arange(4)}
        kept.append(spool.add(cropping.of_batch(arrays, 'masks', ids)))
    assert [each['scores'].tolist() for each in kept] == [[0, 1, 2, 3], [0, 1, 2]]
    masks = spool.pictures()['masks']
    del spool
    gc.collect()
    assert len(masks) == 7
    for row, mask in enumerate(masks):
        height, width = SIZES[row % 4]
        np.testing.assert_array_equal(mask, padded(row // 4)[row % 4, :height, :width])
    with pytest.raises(UserError, match="'c': sizes is"):
        cropping.of_batch({'masks': padded(0), 'sizes': SIZES * [[1], [1], [99], [1]]}, 'masks', IDS)
