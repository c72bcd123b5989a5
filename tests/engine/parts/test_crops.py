"""Crops against the slow way: decode the whole image, average small squares, interpolate."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from engine.datasets.reading.images import Box
from engine.errors import UserError
from engine.parts.crops import Crops, Whole
from engine.training.batches.decoding import TRIES
from tests.engine import photos

CROPS = Crops(size=32)
DRAWS = np.random.default_rng(0).random((400, TRIES, 4))


def slowly(data: bytes, box: Box, size: int, mode: str = 'RGB') -> np.ndarray:
    """Decodes the whole image, cuts the box, averages while it stays large enough, then interpolates."""
    image = np.asarray(Image.open(io.BytesIO(data)).convert(mode)).astype(np.float64)
    times = 1
    while times < 8 and min(box.height, box.width) >= 2 * times * size:
        times *= 2
    top, left, height, width = (pixels // times * times for pixels in box)
    part = image[top : top + height, left : left + width].reshape(height, width, -1)
    small = part.reshape(height // times, times, width // times, times, -1).mean((1, 3))
    return cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR).reshape(size, size, -1)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(np.mean((one.astype(float) - other) ** 2), 1e-9))


@pytest.mark.parametrize('size', [8, 17, 32, 100, 200])
@pytest.mark.parametrize('name', photos.files())
def test_crops_are_those_of_the_slow_way(name: str, size: int) -> None:
    data, crops = photos.files()[name], Crops(size=size)
    boxes = [crops.central_box(150, 210), *(crops.random_box(150, 210, draws) for draws in DRAWS[:5])]
    arrays = [crops.evaluate(data, 3), *(crops.train(data, 3, draws) for draws in DRAWS[:5])]
    for box, image in zip(boxes, arrays, strict=True):
        assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
        assert psnr(image, slowly(data, box, size)) > 40


def test_gray_images_have_one_channel() -> None:
    for name in ('gray jpeg', 'gray png', 'jpeg 4:2:0'):
        data = photos.files()[name]
        crop = CROPS.evaluate(data, 1)
        assert crop.shape == (32, 32, 1)
        assert psnr(crop, slowly(data, CROPS.central_box(150, 210), 32, 'L')) > 40


def test_random_crops_are_inside_and_of_the_area_and_aspect_asked_for() -> None:
    height, width = 375, 500
    boxes = [CROPS.random_box(height, width, draws) for draws in DRAWS]
    for top, left, h, w in boxes:
        assert 0 <= top <= top + h <= height and 0 <= left <= left + w <= width
        assert 0.079 < h * w / (height * width) <= 1
        assert 0.74 < w / h < 1.35
    areas = np.array([box.height * box.width for box in boxes]) / (height * width)
    assert areas.min() < 0.12 and areas.max() > 0.9
    assert abs(np.mean([box.top / (height - box.height + 1) for box in boxes]) - 0.5) < 0.05


@pytest.mark.parametrize('shape', [(1, 1), (1, 50), (50, 1), (3, 1000), (1000, 3), (7, 7)])
def test_images_of_any_shape_have_crops(shape: tuple[int, int]) -> None:
    data = simplejpeg.encode_jpeg(np.full((*shape, 3), 128, np.uint8))
    for draws in DRAWS[:20]:
        top, left, h, w = CROPS.random_box(*shape, draws)
        assert h >= 1 and w >= 1 and 0 <= top <= shape[0] - h and 0 <= left <= shape[1] - w
        assert CROPS.train(data, 3, draws).shape == (32, 32, 3)
    assert CROPS.evaluate(data, 3).shape == (32, 32, 3)


def test_the_central_box_is_a_square_in_the_middle() -> None:
    assert Crops(central=0.5).central_box(100, 200) == Box(25, 75, 50, 50)
    assert Crops(central=1.0).central_box(100, 201) == Box(0, 50, 100, 100)


@pytest.mark.parametrize(
    'wrong',
    [
        {'size': 0},
        {'area': (0.5, 0.1)},
        {'area': (0, 1)},
        {'aspect': (2, 1)},
        {'central': 0},
        {'workers': -1},
    ],
)
def test_numbers_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=rf'Crops.{next(iter(wrong))} = '):
        Crops(**wrong)


@pytest.mark.parametrize(('height', 'width'), [(20, 50), (50, 20), (7, 7), (1, 30), (400, 640)])
@pytest.mark.parametrize('size', [16, 40])
def test_whole_images_lie_in_the_upper_left_at_one_scale(height: int, width: int, size: int) -> None:
    pixels = np.full((height, width, 3), 90, np.uint8)
    pixels[height // 2 :, width // 2 :] = 200  # a box whose corners are known
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'PNG')
    seen = Whole(size=size, workers=0).evaluate(file.getvalue(), 3)
    np.testing.assert_array_equal(Whole(size=size).train(file.getvalue(), 3, DRAWS[0]), seen)
    scale = size / max(height, width)
    inside = [max(1, round(scale * side)) for side in (height, width)]
    assert seen.shape == (size, size, 3)
    assert (seen[: inside[0], : inside[1]] >= 90).all()
    assert (seen[inside[0] :] == 0).all()
    assert (seen[:, inside[1] :] == 0).all()
    rows, columns = np.nonzero(seen[..., 0] > 145)
    assert abs(rows.min() - scale * (height // 2)) <= 1 + scale
    assert abs(columns.min() - scale * (width // 2)) <= 1 + scale


def test_small_images_may_keep_their_pixels() -> None:
    pixels = np.random.default_rng(0).integers(256, size=(13, 20, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'PNG')
    seen = Whole(size=24, enlarge=False, workers=0).evaluate(file.getvalue(), 3)
    np.testing.assert_array_equal(seen[:13, :20], pixels)
    assert not seen[13:].any()
    smaller = Whole(size=10, enlarge=False, workers=0).evaluate(file.getvalue(), 3)
    np.testing.assert_array_equal(smaller, Whole(size=10, workers=0).evaluate(file.getvalue(), 3))


@pytest.mark.parametrize('wrong', [{'size': 0}, {'workers': -1}])
def test_numbers_of_whole_images_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match='Whole.{} = {}'.format(*next(iter(wrong.items())))):
        Whole(**wrong)
