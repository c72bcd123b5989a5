"""Colour jitter against a slow loop over pixels, with the standard library's colorsys and Pillow."""

import colorsys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from engine.errors import UserError
from engine.parts.augmentation import ColorJitter
from tests.engine.parts.augmentation.photographs import photograph

JITTER = ColorJitter(brightness=0.4, contrast=0.5, saturation=0.6, hue=0.2)


def keys(count: int, seed: int = 0) -> jax.Array:
    return jax.random.split(jax.random.key(seed), count)


def grey_value(pixel: np.ndarray) -> float:
    red, green, blue = pixel if len(pixel) == 3 else pixel[[0, 0, 0]]
    return 0.299 * red + 0.587 * green + 0.114 * blue


def slowly(image: np.ndarray, order: Any, amounts: Any) -> np.ndarray:
    """Returns the jittered image, pixel by pixel, in float64."""
    white = np.iinfo(image.dtype).max
    values = image / white
    for change in np.asarray(order).tolist():
        amount, old = float(amounts[change]), values.copy()
        mean = np.mean([grey_value(pixel) for pixel in old.reshape(-1, old.shape[-1])])
        for place in np.ndindex(image.shape[:2]):
            pixel = old[place]
            if change == 3:
                if len(pixel) == 3:
                    hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
                    values[place] = colorsys.hsv_to_rgb((hue + amount) % 1, saturation, value)
            else:
                other = (0, mean, grey_value(pixel))[change]
                values[place] = np.clip(amount * pixel + (1 - amount) * other, 0, 1)
    return np.round(values * white).astype(image.dtype)


@pytest.mark.parametrize(('dtype', 'channels'), [('uint8', 3), ('uint8', 1), ('uint16', 3)])
def test_it_is_the_slow_loop_with_the_same_draws(dtype: str, channels: int) -> None:
    scale = np.iinfo(dtype).max // 255
    images: Any = np.stack([photograph(9, 8, channels, seed) for seed in range(12)]).astype(dtype) * scale
    found = np.asarray(jax.jit(JITTER)(keys(len(images)), images))
    assert (found.shape, found.dtype) == (images.shape, dtype)
    for key, image, changed in zip(keys(len(images)), images, found, strict=True):
        difference = np.abs(changed.astype(int) - slowly(image, *JITTER.draw(key)))
        assert difference.max() <= scale // 50 + 1
    assert (found != images).mean() > 0.5


@pytest.mark.parametrize(
    ('name', 'change'),
    [
        ('brightness', ImageEnhance.Brightness),
        ('contrast', ImageEnhance.Contrast),
        ('saturation', ImageEnhance.Color),
    ],
)
def test_one_change_alone_is_that_of_pillow(name: str, change: Any) -> None:
    jitter, image = ColorJitter(**{name: 0.8}), photograph(20, 30)
    (found,) = np.asarray(jitter(keys(1), image[None])).astype(int)
    order, amounts = jitter.draw(keys(1)[0])
    expected = np.asarray(change(Image.fromarray(image)).enhance(float(amounts[order[0]])))
    assert np.abs(found - expected).max() <= 2  # Pillow rounds grey values, and the result down
    assert (found != image).any()


def test_amounts_and_orders_fill_their_ranges() -> None:
    orders, amounts = map(np.asarray, jax.vmap(JITTER.draw)(keys(2400)))
    np.testing.assert_allclose(amounts.min(0), [0.6, 0.5, 0.4, -0.2], atol=0.01)
    np.testing.assert_allclose(amounts.max(0), [1.4, 1.5, 1.6, 0.2], atol=0.01)
    np.testing.assert_allclose(amounts.mean(0), [1, 1, 1, 0], atol=0.03)
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert (len(counts), counts.min() > 60, counts.max() < 150) == (24, True, True)  # 100 expected


def test_a_factor_is_never_negative() -> None:
    _, amounts = jax.vmap(ColorJitter(brightness=2.0).draw)(keys(500))
    assert 0 <= amounts[:, 0].min() < 0.05 < 2.9 < amounts[:, 0].max() <= 3


def test_changes_of_strength_0_do_not_happen() -> None:
    images: Any = photograph(6, 5)[None].repeat(4, 0)
    np.testing.assert_array_equal(ColorJitter()(keys(4), images), images)
    orders, _ = jax.vmap(ColorJitter(contrast=0.1, hue=0.1).draw)(keys(50))
    assert {tuple(order) for order in orders.tolist()} == {(1, 3), (3, 1)}


def test_an_image_changes_whatever_the_others_are() -> None:
    images: Any = np.stack([photograph(16, 16, seed=seed) for seed in range(6)])
    together = np.asarray(jax.jit(JITTER)(keys(6), images))
    np.testing.assert_array_equal(jax.jit(JITTER)(keys(6)[2:4], images[2:4]), together[2:4])
    assert not np.array_equal(jax.jit(JITTER)(keys(6, seed=1), images), together)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'brightness': -0.1}, 'ColorJitter.brightness = -0.1: give a number of at least 0.'),
        ({'contrast': float('inf')}, 'ColorJitter.contrast = inf: give a number of at least 0.'),
        ({'saturation': float('nan')}, 'ColorJitter.saturation = nan'),
        ({'hue': 0.6}, 'ColorJitter.hue = 0.6: give a number from 0 to 0.5.'),
    ],
)
def test_a_strength_out_of_range_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ColorJitter(**settings)


@pytest.mark.parametrize(
    ('dtype', 'channels', 'message'),
    [
        ('float32', 3, 'ColorJitter takes images of dtype uint8 or uint16, but these are float32'),
        ('uint8', 2, 'ColorJitter takes grey and RGB images, with 1 or 3 channels, but these have 2'),
    ],
)
def test_other_images_are_refused(dtype: str, channels: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        JITTER(keys(2), jnp.zeros((2, 8, 8, channels), dtype))
