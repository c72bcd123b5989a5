"""Predicted images and masks as PNG files, for people."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import numpy as np
from PIL import Image

from engine.render import palette

FOLDER = 'images'
MAX_NAME_LENGTH = 150  # characters of a file name that come from an id


def pictures(predicted: Mapping[str, np.ndarray], ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yields the path and content of a PNG file for each example of each array of images.

    Args:
      predicted: arrays [n, ...]. Masks, uint8 [n, H, W] with the class of each pixel, become indexed PNGs
        whose indices are the classes. Images, uint8 [n, H, W, 1 or 3], become grey or coloured ones. If there
        are several such arrays, each has a folder of its own.
      ids: one per example, for the names of the files.
    """
    drawn = {name: array for name, array in predicted.items() if _can_draw(array)}
    for name, array in drawn.items():
        folder = FOLDER if len(drawn) == 1 else f'{FOLDER}/{name}'
        for example_id, pixels in zip(ids, array, strict=True):
            yield f'{folder}/{file_name(example_id)}.png', _png(pixels)


def _can_draw(array: np.ndarray) -> bool:
    is_image = array.ndim == 3 or (array.ndim == 4 and array.shape[-1] in (1, 3))
    return array.dtype == np.uint8 and is_image and array.size > 0


def file_name(example_id: str) -> str:
    """Returns an id as a file name that every file system accepts; unusual characters become %XX."""
    name = quote(example_id, safe='')
    if len(name) <= MAX_NAME_LENGTH:
        return name
    return f'{name[:MAX_NAME_LENGTH]}-{hashlib.sha256(example_id.encode()).hexdigest()[:16]}'


def _png(pixels: np.ndarray) -> bytes:
    """Returns the PNG file of a mask, uint8 [H, W], or of an image, uint8 [H, W, C]."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)
    if pixels.ndim == 2:
        image.putpalette(palette.colours(256).tobytes())
    file = io.BytesIO()
    image.save(file, 'PNG')
    return file.getvalue()
