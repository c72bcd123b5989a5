"""Augmentations against a loop that pads and slices."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.parts import augmentation
from engine.parts.augmentation import Chain, Crop, Flip, Shift

IMAGES: Any = np.random.default_rng(0).integers(1, 256, (6, 5, 4, 3), np.uint8)


def keys(seed: int, n: int = len(IMAGES)) -> jax.Array:
    return jax.random.split(jax.random.key(seed), n)


def shifts(image: np.ndarray, pixels: int) -> dict[tuple[int, int], bytes]:
    """The slow way: an image shifted down by y and right by x, for each y and x; 0 comes in."""
    height, width, _ = image.shape
    shifted = {}
    for y in range(-pixels, pixels + 1):
        for x in range(-pixels, pixels + 1):
            result = np.zeros_like(image)
            for row in range(height):
                for column in range(width):
                    if 0 <= row - y < height and 0 <= column - x < width:
                        result[row, column] = image[row - y, column - x]
            shifted[y, x] = result.tobytes()
    return shifted


def found(images: Any, result: Any, pixels: int) -> list[tuple[int, int]]:
    """Returns by how much each image was shifted; fails if one was not."""
    moves = []
    for image, moved in zip(images, np.asarray(result), strict=True):
        moves += [move for move, content in shifts(image, pixels).items() if content == moved.tobytes()]
    assert len(moves) == len(images)
    return moves


@pytest.mark.parametrize('pixels', [0, 1, 2])
def test_every_shift_comes_up_and_nothing_else(pixels: int) -> None:
    images: Any = np.repeat(IMAGES[:1], 500, axis=0)
    result = np.asarray(Shift(pixels)(keys(0, len(images)), images))
    assert (result.shape, result.dtype) == (images.shape, np.uint8)
    contents = [moved.tobytes() for moved in result]
    counts = {move: contents.count(content) for move, content in shifts(IMAGES[0], pixels).items()}
    assert sum(counts.values()) == 500
    assert min(counts.values()) > 500 / (2 * pixels + 1) ** 2 / 3  # about as often, each of them


def test_images_of_other_dtypes_are_shifted_too() -> None:
    images = IMAGES.astype(np.float32) / 7
    result = Shift(2)(keys(0, len(images)), images)
    assert result.dtype == np.float32
    found(images, result, 2)


def test_the_key_decides() -> None:
    one, again, other = (np.asarray(Shift(2)(keys(seed), IMAGES)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_each_image_moves_for_itself() -> None:
    moves = found(IMAGES, Shift(2)(keys(0), IMAGES), 2)
    assert len(set(moves)) > 1


def test_a_row_moves_whatever_the_others_are() -> None:
    """By its own key alone, so that devices may divide a batch as they like."""
    augment = Shift(2)
    together = np.asarray(augment(keys(3), IMAGES))
    np.testing.assert_array_equal(augment(keys(3), jnp.asarray(IMAGES).at[1:].set(9))[0], together[0])
    np.testing.assert_array_equal(augment(keys(3)[2:4], IMAGES[2:4]), together[2:4])


def test_without_an_augmentation_nothing_changes() -> None:
    assert augmentation.applied(None, keys(0), IMAGES) is IMAGES


@pytest.mark.parametrize(('horizontal', 'vertical'), [(True, False), (False, True), (True, True)])
def test_every_flip_comes_up_and_nothing_else(horizontal: bool, vertical: bool) -> None:
    images: Any = np.repeat(IMAGES[:1], 400, axis=0)
    result = np.asarray(Flip(horizontal, vertical)(keys(0, len(images)), images))
    assert (result.shape, result.dtype) == (images.shape, np.uint8)
    flipped = [
        IMAGES[0][:: -1 if down else 1, :: -1 if across else 1].tobytes()
        for down in {False, vertical}
        for across in {False, horizontal}
    ]
    counts = [[image.tobytes() for image in result].count(each) for each in flipped]
    assert sum(counts) == 400
    assert min(counts) > 400 / len(flipped) / 2


def test_an_image_is_flipped_whatever_the_others_are() -> None:
    augment = Flip(vertical=True)
    together = np.asarray(augment(keys(3), IMAGES))
    np.testing.assert_array_equal(augment(keys(3)[2:4], IMAGES[2:4]), together[2:4])
    assert not np.array_equal(augment(keys(4), IMAGES), together)


@pytest.mark.parametrize('border', ['constant', 'edge', 'reflect'])
def test_every_crop_comes_up_and_nothing_else(border: Any) -> None:
    images: Any = np.repeat(IMAGES[:1], 500, axis=0)
    result = np.asarray(Crop(2, border)(keys(0, len(images)), images))
    assert (result.shape, result.dtype) == (images.shape, np.uint8)
    padded = np.pad(IMAGES[0], ((2, 2), (2, 2), (0, 0)), border)
    height, width = IMAGES.shape[1:3]
    crops = {padded[y : y + height, x : x + width].tobytes() for y in range(5) for x in range(5)}
    assert {image.tobytes() for image in result} == crops


def test_zeros_come_in_by_default() -> None:
    np.testing.assert_array_equal(Crop(2)(keys(1), IMAGES), Shift(2)(keys(1), IMAGES))


def test_a_chain_is_one_after_another_each_with_keys_of_its_own() -> None:
    chain = Chain((Flip(), Crop(1), Flip(vertical=True)))
    expected: Any = IMAGES
    for index, augment in enumerate(chain.augmentations):
        own = jax.vmap(lambda key, index=index: jax.random.fold_in(key, index))(keys(5))
        expected = augment(own, expected)
    np.testing.assert_array_equal(chain(keys(5), IMAGES), expected)
    many: Any = np.repeat(IMAGES[:1], 200, axis=0)
    results = {image.tobytes() for image in np.asarray(Chain((Flip(), Flip()))(keys(0, 200), many))}
    assert len(results) == 2  # were the keys the same, no image would be mirrored in the end
    np.testing.assert_array_equal(chain(keys(5)[2:4], IMAGES[2:4]), chain(keys(5), IMAGES)[2:4])
    np.testing.assert_array_equal(Chain(())(keys(5), IMAGES), IMAGES)
