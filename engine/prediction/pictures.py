"""Predicted pictures as PNG files, for all who look at them."""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import numpy as np
from PIL import Image

from engine.render import palette

FOLDER = 'images'
LONGEST = 150  # characters of a file name that may come from an id


def pictures(predicted: Mapping[str, np.ndarray], ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yields a PNG file for each example of each array that holds pictures: its path and its content.

    Args:
      predicted: arrays [n, ...]. Pictures are uint8: [n, H, W], a class for each pixel, becomes an indexed
        PNG, its indices the classes; [n, H, W, 1 or 3] a gray or a coloured one.
      ids: one per example, for the names of the files.
    """
    for array in predicted.values():
        if array.dtype == np.uint8 and (array.ndim == 3 or (array.ndim == 4 and array.shape[-1] in (1, 3))):
            for identity, pixels in zip(ids, array, strict=True):
                yield f'{FOLDER}/{file_name(identity)}.png', _png(pixels)


def file_name(identity: str) -> str:
    """Returns an id as a name that every file system takes, with %XX for what is unusual in it."""
    name = quote(identity, safe='')
    if len(name) <= LONGEST:
        return name
    return f'{name[:LONGEST]}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}'


def _png(pixels: np.ndarray) -> bytes:
    """Returns the PNG file of uint8 [H, W], classes, or [H, W, C]."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)
    if pixels.ndim == 2:
        image.putpalette(palette.colours(256).tobytes())
    file = io.BytesIO()
    image.save(file, 'PNG')
    return file.getvalue()
