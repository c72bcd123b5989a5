"""Pictures show the arrays that they claim to show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.training.observers.first_batch import (
    CAPTION,
    COLUMNS,
    MOST,
    TILE,
    contact_sheet,
    save_first_batch,
)

NAMES = ('cat', 'dog')


def corner(index: int) -> tuple[int, int]:
    """Returns x and y of a picture on the sheet."""
    return 8 + index % COLUMNS * (TILE + 8), 8 + index // COLUMNS * (TILE + CAPTION + 8)


@pytest.mark.parametrize('channels', [1, 3])
def test_a_sheet_shows_each_image_in_its_place(channels: int) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (COLUMNS + 1, 4, 4, channels)).astype(np.float32)
    sheet = np.asarray(contact_sheet(images, [''] * len(images)))
    low, high = images.min(), images.max()
    for index, image in enumerate(images):
        x, y = corner(index)
        for row, column in np.ndindex(4, 4):
            square = sheet[y + row * TILE // 4 :, x + column * TILE // 4 :][: TILE // 4, : TILE // 4]
            shade = (image[row, column] - low) / (high - low) * 255
            assert np.abs(square - shade).max() <= 1


def test_a_caption_stands_under_its_image() -> None:
    images = np.zeros((3, 4, 4, 1), np.float32)
    sheet = np.asarray(contact_sheet(images, ['cat', '', 'dog']))
    inked = []
    for index in range(3):
        x, y = corner(index)
        inked.append(bool((sheet[y + TILE : y + TILE + CAPTION, x : x + TILE] < 128).any()))
    assert inked == [True, False, True]


def test_images_of_one_shade_are_black() -> None:
    sheet = contact_sheet(np.full((1, 4, 4, 1), 7, np.uint8), [''])
    assert sheet.getpixel((8 + TILE // 2, 8 + TILE // 2)) == (0, 0, 0)


def saved(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_first_batch_is_saved_as_it_is_and_drawn(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((MOST + 5, 4, 4, 1), np.float32)
    labels = np.arange(len(images)) % 2
    save_first_batch(tmp_path, {'inputs': images}, labels, NAMES)
    assert saved(tmp_path) == {'first_batch.npz', 'first_batch.png'}
    with np.load(tmp_path / 'first_batch.npz') as arrays:
        np.testing.assert_array_equal(arrays['inputs'], images, strict=True)
    with Image.open(tmp_path / 'first_batch.png') as drawn:
        captions = [NAMES[label] for label in labels[:MOST]]
        np.testing.assert_array_equal(drawn, contact_sheet(images[:MOST], captions))


def test_what_is_no_image_is_not_drawn(tmp_path: Path) -> None:
    save_first_batch(tmp_path, {'tokens': np.zeros((2, 7), np.int32)}, None, ())
    assert saved(tmp_path) == {'first_batch.npz'}


def test_several_inputs_are_drawn_apart(tmp_path: Path) -> None:
    images = np.zeros((2, 4, 4, 3), np.float32)
    save_first_batch(tmp_path, {'left': images, 'right': images}, None, ())
    assert saved(tmp_path) == {'first_batch.npz', 'first_batch_left.png', 'first_batch_right.png'}


@pytest.mark.parametrize(
    'labels',
    [np.array([3, 0]), np.array([0.5, 1.5]), np.zeros((2, 4, 4), np.int32)],
    ids=['classes without names', 'numbers', 'maps'],
)
def test_labels_that_name_no_class_are_no_obstacle(labels: np.ndarray, tmp_path: Path) -> None:
    save_first_batch(tmp_path, {'inputs': np.zeros((2, 4, 4, 1), np.float32)}, labels, ())
    assert saved(tmp_path) == {'first_batch.npz', 'first_batch.png'}
