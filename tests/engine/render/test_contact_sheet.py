"""Contact sheets show the images that they claim to show."""

import numpy as np
import pytest

from engine.render.contact_sheet import BATCH_COLUMNS as COLUMNS
from engine.render.contact_sheet import BATCH_TILE as TILE
from engine.render.contact_sheet import batch_sheet, contact_sheet

CAPTION = 16  # pixels below each image


def corner(index: int) -> tuple[int, int]:
    """Returns x and y of a picture on the sheet."""
    return 8 + index % COLUMNS * (TILE + 8), 8 + index // COLUMNS * (TILE + CAPTION + 8)


@pytest.mark.parametrize('channels', [1, 3])
def test_a_sheet_shows_each_image_in_its_place(channels: int) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (COLUMNS + 1, 4, 4, channels)).astype(np.float32)
    sheet = np.asarray(batch_sheet(images, [''] * len(images)))
    low, high = images.min(), images.max()
    for index, image in enumerate(images):
        x, y = corner(index)
        for row, column in np.ndindex(4, 4):
            square = sheet[y + row * TILE // 4 :, x + column * TILE // 4 :][: TILE // 4, : TILE // 4]
            shade = (image[row, column] - low) / (high - low) * 255
            assert np.abs(square - shade).max() <= 1


def test_a_caption_stands_under_its_image() -> None:
    images = np.zeros((3, 4, 4, 1), np.float32)
    sheet = np.asarray(batch_sheet(images, ['cat', '', 'dog']))
    inked = []
    for index in range(3):
        x, y = corner(index)
        inked.append(bool((sheet[y + TILE : y + TILE + CAPTION, x : x + TILE] < 128).any()))
    assert inked == [True, False, True]


def test_images_of_one_shade_are_black() -> None:
    sheet = batch_sheet(np.full((1, 4, 4, 1), 7, np.uint8), [''])
    assert sheet.getpixel((8 + TILE // 2, 8 + TILE // 2)) == (0, 0, 0)


def test_a_label_map_is_drawn_beside_its_image() -> None:
    labels = np.full((1, 4, 4), 3, np.uint8)
    sheet = batch_sheet(np.zeros((1, 4, 4, 1)), ['cat'], [labels])
    assert sheet.getpixel((8 + TILE + TILE // 2, 8 + TILE // 2)) == (0, 158, 115)


def test_images_without_captions_keep_their_shape() -> None:
    images = [np.full((2, 3), 255 * index, np.uint8) for index in range(2)]
    sheet = contact_sheet(images, (), 1, (30, 20))
    assert sheet.size == (46, 64)
    assert [sheet.getpixel((20, y)) for y in (15, 45)] == [(0, 0, 0), (255, 255, 255)]


def test_large_images_are_averaged() -> None:
    image = np.tile(np.array([0, 200], np.uint8), (20, 10))
    assert contact_sheet([image], (), 1, (10, 10)).getpixel((12, 12)) == (100, 100, 100)
