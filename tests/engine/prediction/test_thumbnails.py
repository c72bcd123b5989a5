"""Small pictures against slow means, pixel by pixel."""

from typing import Any

import jax
import numpy as np
import pytest

from engine.prediction.thumbnails import MAX_SIDE, MAX_THUMBNAIL_BYTES, Thumbnails


def field(*shape: int, dtype: Any = np.uint8) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


@pytest.mark.parametrize('shape', [(8, 8, 1), (20, 31, 3), (130, 65, 3)])
def test_each_pixel_is_the_mean_of_a_square(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    thumbnails = Thumbnails.of({'picture': field(*shape)}, {}, 3)
    (small,) = thumbnails({'picture': images}).values()  # type: ignore[dict-item]
    assert small.dtype == np.uint8
    assert max(small.shape[1:3]) <= MAX_SIDE
    f = thumbnails.factor
    assert thumbnails.details == ({'inputs_shrunk': str(f)} if f > 1 else {})
    for n, y, x, c in np.ndindex(*small.shape):
        square = images[n, y * f : (y + 1) * f, x * f : (x + 1) * f, c]
        assert abs(float(small[n, y, x, c]) - square.mean()) <= 0.5


def test_sixteen_bits_become_eight() -> None:
    images = np.array([0, 257, 32768, 65535], np.uint16).repeat(16).reshape(4, 8, 2, 1).repeat(4, 2)
    thumbnails = Thumbnails.of({'picture': field(8, 8, 1, dtype=np.uint16)}, {}, 4)
    (small,) = thumbnails({'picture': images}).values()  # type: ignore[dict-item]
    np.testing.assert_array_equal(small, np.round(images / 257))


def test_many_are_smaller_and_too_many_are_none() -> None:
    example = {'image': field(224, 224, 3)}
    many = Thumbnails.of(example, {}, 50_000)
    side = 224 // many.factor
    assert 3 * 50_000 * side**2 <= MAX_THUMBNAIL_BYTES < 3 * 50_000 * (224 // (many.factor - 1)) ** 2
    assert Thumbnails.of(example, {}, 50_000_000) == Thumbnails()


@pytest.mark.parametrize(
    'example',
    [
        {'values': field(8, 8, 3, dtype=np.float32)},
        {'text': field(64)},
        {'mask': field(8, 8)},
        {'photo': field(8, 8, 3)},
        {'stripe': field(400, 4, 3)},
    ],
    ids=lambda example: next(iter(example)),
)
def test_what_is_no_picture_or_the_truth_or_too_thin_gets_none(example: dict[str, Any]) -> None:
    assert Thumbnails.of(example, {'targets': 'photo'}, 3)({}) == {}
