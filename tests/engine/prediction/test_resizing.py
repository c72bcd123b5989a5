"""Images of varying size for a model of one size: which part, how averaged, in which channels."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import integers
from PIL import Image

from engine.prediction.resizing import Resizing
from tests.engine import photos
from tests.engine.random_cases import random_cases


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'PNG')
    return file.getvalue()


def test_an_image_of_the_size_stays_as_it_is() -> None:
    image = photos.picture(0, 24, 36)
    for how in ('crop', 'stretch'):
        assert np.array_equal(Resizing((24, 36), how).evaluate(png(image), 3), image)
    grey = Resizing((24, 36)).evaluate(png(image[..., 0]), 1)
    assert np.array_equal(grey, image[..., :1])


def test_areas_are_averaged() -> None:
    image = photos.picture(1, 36, 60)  # 12 times, 20 times
    means = image.reshape(3, 12, 3, 20, 3).mean((1, 3))
    stretched = Resizing((3, 3), 'stretch').evaluate(png(image), 3)
    assert np.abs(stretched - means).max() <= 1
    central = image[:, 12:48].reshape(3, 12, 3, 12, 3).mean((1, 3))
    assert np.abs(Resizing((3, 3), 'crop').evaluate(png(image), 3) - central).max() <= 1


@pytest.mark.parametrize('size', [(1, 1), (8, 8), (5, 40), (64, 32)])
@pytest.mark.parametrize('height_width', [(1, 1), (1, 90), (33, 7), (200, 130)])
def test_any_size_becomes_the_size(size: tuple[int, int], height_width: tuple[int, int]) -> None:
    image = photos.picture(2, *height_width)
    for how in ('crop', 'stretch'):
        for channels in (1, 3):
            made = Resizing(size, how).evaluate(png(image), channels)
            assert (made.shape, made.dtype) == ((*size, channels), np.uint8)


@random_cases(30)
@given(seed=integers(0, 2**32))
def test_the_part_is_central_and_as_large_as_possible(seed: int) -> None:
    random = np.random.default_rng(seed)
    (height, width), size = random.integers(1, 300, 2).tolist(), tuple(random.integers(1, 80, 2).tolist())
    top, left, h, w = Resizing(size).box(height, width)
    assert 0 <= top <= top + h <= height
    assert 0 <= left <= left + w <= width
    assert h == height or w == width
    assert abs(2 * top + h - height) <= 1
    assert abs(2 * left + w - width) <= 1
    assert abs(h * size[1] - w * size[0]) <= max(size)  # the proportions, but for rounding
