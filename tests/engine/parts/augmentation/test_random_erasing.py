"""Random erasing against a loop that draws rectangles with NumPy, and by what it leaves of images."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.errors import UserError
from engine.parts.augmentation import RandomErasing

HEIGHT, WIDTH = 24, 32


def keys(count: int, seed: int = 0) -> jax.Array:
    return jax.random.split(jax.random.key(seed), count)


def white(count: int, dtype: Any = np.uint8) -> Any:
    return np.ones((count, HEIGHT, WIDTH, 3), dtype)


def rectangles(erased: np.ndarray) -> np.ndarray:
    """Returns top, left, height and width of the zeros of each image, int [n, 4]; fails on other shapes."""
    result = []
    for image in erased:
        rows, columns = (np.flatnonzero((image == 0).any((axis, 2))) for axis in (1, 0))
        if len(rows):
            box = rows[0], columns[0], rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
            assert (image == 0).sum() == 3 * box[2] * box[3]
            result.append(box)
    return np.array(result)


def slowly(count: int, area: tuple[float, float], aspect: tuple[float, float]) -> np.ndarray:
    """Returns rectangles as torchvision draws them, int [n, 4], fewer if none of 10 fits."""
    random, result = np.random.default_rng(0), []
    for _ in range(count):
        for _ in range(10):
            pixels = HEIGHT * WIDTH * random.uniform(*area)
            ratio = math.exp(random.uniform(*np.log(aspect)))
            h, w = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
            if h < HEIGHT and w < WIDTH:
                place = random.integers(0, HEIGHT - h + 1), random.integers(0, WIDTH - w + 1)
                result.append((*place, h, w))
                break
    return np.array(result)


@pytest.mark.parametrize(
    ('area', 'aspect'),
    [((0.02, 0.4), (0.3, 1 / 0.3)), ((0.1, 0.1), (2.0, 2.0)), ((0.7, 1.0), (0.5, 4.0))],
)
def test_rectangles_are_distributed_as_those_of_the_loop(area: Any, aspect: Any) -> None:
    augment = RandomErasing(1.0, area, aspect, fill='zero')
    found = rectangles(np.asarray(jax.jit(augment)(keys(3000), white(3000))))
    expected = slowly(3000, area, aspect)
    assert abs(len(found) - len(expected)) < 150
    sizes = found[:, 2] * found[:, 3], expected[:, 2] * expected[:, 3]
    for own, slow in zip([*found.T, sizes[0]], [*expected.T, sizes[1]], strict=True):
        np.testing.assert_allclose(own.mean(), slow.mean(), rtol=0.06, atol=0.15)
        np.testing.assert_allclose(np.quantile(own, [0.05, 0.95]), np.quantile(slow, [0.05, 0.95]), atol=12)


@pytest.mark.parametrize('probability', [0.0, 0.25, 1.0])
def test_so_many_images_lose_a_rectangle(probability: float) -> None:
    erased = np.asarray(RandomErasing(probability, fill='zero')(keys(1000), white(1000)))
    assert abs(len(rectangles(erased)) - 1000 * probability) < 60


@pytest.mark.parametrize('dtype', ['uint8', 'uint16'])
def test_random_values_fill_it_by_default(dtype: str) -> None:
    images: Any = np.zeros((200, HEIGHT, WIDTH, 1), dtype)
    erased = np.asarray(RandomErasing(1.0, (0.3, 0.4))(keys(200), images))
    assert erased.dtype == dtype
    values = erased[erased > 0] / np.iinfo(dtype).max
    np.testing.assert_allclose(
        np.quantile(values, [0.01, 0.25, 0.5, 0.75, 0.99]), [0.01, 0.25, 0.5, 0.75, 0.99], atol=0.02
    )
    assert 0.29 < (erased > 0).mean() < 0.41


def test_images_of_other_dtypes_are_filled_with_0() -> None:
    erased = RandomErasing(1.0, fill='zero')(keys(8), white(8, np.float32) / 7)
    assert erased.dtype == np.float32
    assert len(rectangles(np.asarray(erased))) == 8
    with pytest.raises(
        UserError, match=r"fill = 'random' takes uint8 and uint16 images, but these are float32"
    ):
        RandomErasing()(keys(8), jnp.asarray(white(8, np.float32)))


def test_an_image_is_erased_whatever_the_others_are() -> None:
    augment = jax.jit(RandomErasing(0.7))
    together = np.asarray(augment(keys(6), white(6)))
    np.testing.assert_array_equal(augment(keys(6)[2:4], white(2)), together[2:4])
    assert len({image.tobytes() for image in together}) > 3


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'probability': 1.5}, 'RandomErasing.probability = 1.5: give a share of the images, 0 to 1.'),
        ({'area': (0.0, 0.4)}, r'RandomErasing.area = \(0.0, 0.4\): give \(smallest, largest\) share'),
        ({'area': (0.5, 0.4)}, r'RandomErasing.area = \(0.5, 0.4\)'),
        ({'aspect': (0.0, 1.0)}, r'RandomErasing.aspect = \(0.0, 1.0\): give \(smallest, largest\) height'),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        RandomErasing(**settings)
