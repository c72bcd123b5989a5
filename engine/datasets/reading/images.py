"""Decodes the images of a dataset: any format and mode becomes an upright image of 8 bits.

Building, checks, pages, training and prediction all decode by these functions, so they all see the same
pixels. `any_format` says what becomes of orientations, transparency, 16 bits, palettes and so on.

Letters: H, W are height and width of the whole upright image, C is its number of channels: 1 grey, 2 grey and
opacity, 3 colours, 4 colours and opacity.

libjpeg-turbo decodes a part of a JPEG in less time than the whole takes (`jpeg`). Pillow decodes everything
else as a whole (`any_format`).
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from engine.datasets.reading import any_format, jpeg
from engine.datasets.reading.any_format import FileTraits, ImageError, StoredImage, UnknownFormatError
from engine.datasets.reading.modes import TO_GREY, TO_RGB
from engine.datasets.reading.not_images import description
from engine.datasets.reading.orientation import Box, stored_box, upright, upright_size

__all__ = [
    'REDUCTIONS',
    'Box',
    'FileTraits',
    'ImageError',
    'dimensions',
    'examine',
    'labels',
    'part',
    'whole',
    'whole_deep',
]

REDUCTIONS = (8, 4, 2)  # the factors by which libjpeg-turbo shrinks an image while it decodes

MORE_FRAMES = 'the first of several frames or pages'

# Complaints of libjpeg-turbo about files whose pixels are wrong from some row on. Pillow ignores them.
_DAMAGE = (
    'remature end',
    'bad Huffman',
    'bad arithmetic',
    'extraneous bytes',
    'found marker',
    'progression',
)
_AFTER_THE_LAST_ROW = 'extraneous bytes before marker 0xd9'


class _LastImage(threading.local):
    """The image that a thread decoded last, because its size and its part are asked for one after another."""

    def __init__(self) -> None:
        self.data, self.channels, self.pixels = b'', 0, np.empty(0, np.uint8)

    def decode(self, data: bytes, channels: int) -> np.ndarray:
        if self.data is not data or self.channels != channels:
            self.pixels = _upright(_decoded(any_format.decode, data, channels))
            self.data, self.channels = data, channels
        return self.pixels


_last = _LastImage()


def dimensions(data: bytes, channels: int = 3) -> tuple[int, int]:
    """Returns (H, W) of an encoded image. Raises `ImageError` if it is not an image."""
    size = _jpeg_size(data)
    if size is None:
        size = _last.decode(data, channels).shape[:2]
    return size[0], size[1]


def part(data: bytes, box: Box, channels: int, reduction: int = 1) -> np.ndarray:
    """Decodes a part of an image.

    Args:
      data: the encoded image.
      box: the part, inside the upright image.
      channels: C.
      reduction: 1, 2, 4 or 8, the factor by which the part shrinks. Its edges are rounded down to multiples
        of this factor, in the stored image.

    Returns:
      uint8 [height // reduction, width // reduction, C]. The next call of the same thread may overwrite it.

    Raises:
      ImageError: the image is damaged, or its format is unknown.
    """
    pixels = _jpeg_part(data, box, channels, reduction)
    if pixels is not None:
        return pixels
    top, left, height, width = (pixels // reduction * reduction for pixels in box)
    cut = _last.decode(data, channels)[top : top + height, left : left + width]
    return cut if reduction == 1 else _reduced(cut, reduction)


def whole(data: bytes, channels: int) -> np.ndarray:
    """Decodes a whole image, uint8 [H, W, C]. Raises `ImageError` if it is damaged."""
    return part(data, Box(0, 0, *dimensions(data, channels)), channels).copy()


def whole_deep(data: bytes, channels: int) -> np.ndarray:
    """Decodes a whole image, uint16 [H, W, C], as `whole` does. 8 bits are scaled to 16."""
    return _upright(_decoded(any_format.decode_deep, data, channels))


def labels(data: bytes) -> np.ndarray:
    """Decodes a label map, [H, W], whose values are never scaled; those of a palette are its indices.

    Raises:
      ImageError: the image is damaged, or has colours, which are not labels.
    """
    return _upright(_decoded(any_format.decode_labels, data))


def examine(data: bytes, channels: int) -> FileTraits:
    """Decodes a whole image and reports what it holds.

    Raises:
      ImageError: the image is damaged. Some damage is noticed here alone, such as a JPEG whose colours are
        wrong from some row on.
    """
    if (size := _jpeg_size(data)) is not None:
        any_format.check_size(*size)
    complaint = jpeg.complaint(data)
    if any(damage in complaint for damage in _DAMAGE) and not complaint.endswith(_AFTER_THE_LAST_ROW):
        truncated = ', so it is truncated' if 'remature end of JPEG' in complaint else ''
        raise ImageError(f'is damaged: {complaint}{truncated}')
    if size is not None and not complaint and channels in (1, 3):
        return FileTraits(*_of_jpeg(data, channels), *size)
    decoded = _decoded(any_format.decode, data, channels)
    more = [MORE_FRAMES] if any_format.has_frames(data) else []
    more += [f'the decoder complains: {complaint}'] if size is not None and complaint else []
    return FileTraits(decoded.mode, (*decoded.conversions, *more), *_upright(decoded).shape[:2])


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Returns (H, W) of a JPEG that libjpeg-turbo decodes, None for other files."""
    size, turn = jpeg.stored_size(data), jpeg.orientation(data)
    return upright_size(*size, turn) if size and turn else None


def _jpeg_part(data: bytes, box: Box, channels: int, reduction: int) -> np.ndarray | None:
    """Decodes a part of a JPEG, None if Pillow must decode it."""
    size, turn = jpeg.stored_size(data), jpeg.orientation(data)
    if not size or not turn:
        return None
    pixels = jpeg.part(data, stored_box(box, *size, turn), channels, reduction)
    return pixels if pixels is None or turn == 1 else np.ascontiguousarray(upright(pixels, turn))


def _decoded(decode: Callable[..., StoredImage], data: bytes, *arguments: Any) -> StoredImage:
    """Calls a function of `any_format`. Its message says what a file is that is not an image."""
    try:
        return decode(data, *arguments)
    except UnknownFormatError:
        raise ImageError(description(data)) from None


def _upright(image: StoredImage) -> np.ndarray:
    return np.ascontiguousarray(upright(image.pixels, image.orientation))


def _of_jpeg(data: bytes, channels: int) -> tuple[str, tuple[str, ...]]:
    """Returns mode and conversions of a JPEG that libjpeg-turbo decodes."""
    conversions = [any_format.TURNED] if jpeg.orientation(data) != 1 else []
    is_grey = jpeg.is_grey(data)
    if is_grey != (channels == 1):
        conversions.append(TO_RGB if is_grey else TO_GREY)
    return f'JPEG {"L" if is_grey else "RGB"}', tuple(conversions)


def _reduced(image: np.ndarray, reduction: int) -> np.ndarray:
    """Returns means over squares of `reduction` pixels."""
    squeezed = image[..., 0] if image.shape[-1] == 1 else image
    reduced = Image.fromarray(np.ascontiguousarray(squeezed)).reduce(reduction)
    return np.asarray(reduced).reshape(reduced.height, reduced.width, image.shape[-1])
