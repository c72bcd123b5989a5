"""RandAugment against Pillow, operation by operation."""

from collections import Counter
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from engine.errors import UserError
from engine.parts.augmentation import RandAugment
from engine.parts.augmentation.rand_augment import OPERATIONS
from tests.engine.parts.augmentation.photographs import photograph

HEIGHT, WIDTH = 40, 33
ENHANCED = {
    'brightness': ImageEnhance.Brightness,
    'color': ImageEnhance.Color,
    'contrast': ImageEnhance.Contrast,
    'sharpness': ImageEnhance.Sharpness,
}


def moved(image: Image.Image, *matrix: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


def by_pillow(name: str, array: np.ndarray, strength: float, sign: int) -> np.ndarray:
    """Returns the image after an operation, by the functions that the paper's code calls."""
    image = Image.fromarray(array.squeeze())
    amount = sign * strength
    if name in ENHANCED:
        return np.asarray(ENHANCED[name](image).enhance(1 + 0.9 * amount))
    changes: dict[str, Any] = {
        'identity': lambda: image,
        'shear_x': lambda: moved(image, 1, 0.3 * amount, 0, 0, 1, 0),
        'shear_y': lambda: moved(image, 1, 0, 0, 0.3 * amount, 1, 0),
        'translate_x': lambda: moved(image, 1, 0, int(150 / 331 * WIDTH * amount), 0, 1, 0),
        'translate_y': lambda: moved(image, 1, 0, 0, 0, 1, int(150 / 331 * HEIGHT * amount)),
        'rotate': lambda: image.rotate(-30 * amount),
        'posterize': lambda: ImageOps.posterize(image, 8 - round(4 * strength)),
        'solarize': lambda: ImageOps.solarize(image, 255 * (1 - strength)),  # type: ignore[arg-type]
        'auto_contrast': lambda: ImageOps.autocontrast(image),
        'equalize': lambda: ImageOps.equalize(image),
    }
    return np.asarray(changes[name]())


@cache
def operation(magnitude: float) -> Any:
    """Returns the compiled operations, (images, choices) -> images."""
    return jax.jit(jax.vmap(RandAugment(magnitude=magnitude).operate))


@pytest.mark.parametrize(('magnitude', 'channels'), [(0, 3), (9, 1), (9, 3), (17, 3), (30, 3)])
def test_every_operation_is_that_of_pillow(magnitude: int, channels: int) -> None:
    image = photograph(HEIGHT, WIDTH, channels)
    choices = np.arange(2 * len(OPERATIONS))
    found = np.asarray(operation(magnitude)(np.stack([image] * len(choices)), choices))
    for choice, changed in zip(choices, found, strict=True):
        name = OPERATIONS[choice // 2]
        expected = by_pillow(name, image, magnitude / 30, -1 if choice % 2 else 1).reshape(image.shape)
        difference = np.abs(changed.astype(int) - expected)
        assert difference.max() <= (1 if name == 'auto_contrast' else 255), name
        assert (difference > 0).mean() < 0.02, name  # pixels halfway between two, and what floats round down


@pytest.mark.parametrize(
    'array',
    [
        np.zeros((8, 8, 3), np.uint8),
        np.full((8, 8, 1), 255, np.uint8),
        np.arange(4, dtype=np.uint8).reshape(2, 2, 1),
        photograph(300, 2),
    ],
    ids=['black', 'white', 'four pixels', 'thin'],
)
def test_unusual_images_are_those_of_pillow(array: Any) -> None:
    for number, name in enumerate(OPERATIONS):
        if name in ENHANCED or name in ('posterize', 'solarize', 'auto_contrast', 'equalize'):
            found = operation(9)(array[None], jnp.array([2 * number]))[0]
            expected = by_pillow(name, array, 0.3, 1).reshape(array.shape).astype(int)
            assert np.abs(np.asarray(found) - expected).max() <= 1, name


def test_all_operations_and_signs_are_equally_frequent() -> None:
    drawn = jax.vmap(RandAugment().draw)(jax.random.split(jax.random.key(0), 2800))
    for column in drawn.T:
        counts = Counter(column.tolist())
        assert sorted(counts) == [*range(28)]
        assert 60 < min(counts.values()) <= max(counts.values()) < 150  # 100 expected
    assert 60 < int((drawn[:, 0] == drawn[:, 1]).sum()) < 150


def test_an_image_goes_through_its_own_operations_one_after_another() -> None:
    augment = RandAugment(operations=3, magnitude=15)
    images = np.stack([photograph(16, 16, seed=seed) for seed in range(8)])
    keys = jax.random.split(jax.random.key(1), len(images))
    expected = []
    for key, image in zip(keys, images, strict=True):
        changed = image
        for choice in augment.draw(key):
            changed = operation(15)(changed[None], choice[None])[0]
        expected.append(changed)
    found = np.asarray(jax.jit(augment)(keys, images))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(jax.jit(augment)(keys[2:4], images[2:4]), found[2:4])


def test_what_comes_in_from_outside_is_the_fill() -> None:
    image: Any = np.full((10, 10, 1), 7, np.uint8)
    choice = jnp.array(2 * OPERATIONS.index('translate_x'))
    found = RandAugment(magnitude=30, fill=128).operate(image, choice)
    assert np.asarray(found)[..., 0].tolist() == [[7] * 6 + [128] * 4] * 10


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'operations': 0}, r'RandAugment.operations = 0: give a number of at least 1.'),
        ({'magnitude': 31}, r'RandAugment.magnitude = 31: give a number from 0 to 30.'),
        ({'magnitude': 11, 'max_magnitude': 10}, r'RandAugment.magnitude = 11: give a number from 0 to 10.'),
        ({'magnitude': float('nan')}, r'RandAugment.magnitude = nan'),
        ({'max_magnitude': 0, 'magnitude': 0}, r'RandAugment.max_magnitude = 0: give a number above 0.'),
        ({'fill': 256}, r'RandAugment.fill = 256: give a value from 0 to 255.'),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        RandAugment(**settings)


@pytest.mark.parametrize(
    ('dtype', 'channels', 'message'),
    [
        ('float32', 3, 'RandAugment takes images of dtype uint8, but these are float32'),
        ('uint16', 3, 'RandAugment takes images of dtype uint8, but these are uint16'),
        ('uint8', 4, 'RandAugment takes grey and RGB images, with 1 or 3 channels, but these have 4'),
    ],
)
def test_other_images_are_refused(dtype: str, channels: int, message: str) -> None:
    keys = jax.random.split(jax.random.key(0), 2)
    with pytest.raises(UserError, match=message):
        RandAugment()(keys, jnp.zeros((2, 8, 8, channels), dtype))
