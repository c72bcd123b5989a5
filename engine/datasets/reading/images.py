"""A part of an encoded image, for less than the whole costs.

Letters: H, W the size of the whole image, C its channels: 1 gray, 3 colours, 4 with opacity.

JPEG is decoded by libjpeg-turbo, down to the last row that is wanted and no further, and at half, a quarter
or an eighth of its size where that is asked for. What it does not decode without a doubt (other formats,
CMYK, damage) Pillow does, or raises.
"""

import io
import math
import struct
import threading
from typing import Any, NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

REDUCED = (8, 4, 2)  # times smaller: what libjpeg-turbo decodes to by fast code of its own
MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}

_SPACES = {1: 'GRAY', 3: 'RGB'}
_REDUCIBLE = {'444', '420', 'Gray'}  # with others libjpeg's colours are a little off their place
_ROWS = 16  # the most that are coded as one


class Box(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


class _Local(threading.local):
    """Memory of a thread, used again and again: new memory for each image costs a tenth of the time."""

    def __init__(self) -> None:
        self.memory = np.empty(0, np.uint8)

    def array(self, shape: tuple[int, int, int]) -> np.ndarray:
        size = math.prod(shape)
        if size > self.memory.size:
            self.memory = np.empty(size, np.uint8)
        return self.memory[:size].reshape(shape)


_local = _Local()


def dimensions(data: bytes) -> tuple[int, int]:
    """Returns (H, W) of an encoded image; raises `ValueError` or `OSError` if it is none."""
    try:
        return _header(data)[:2]
    except ValueError:
        with Image.open(io.BytesIO(data)) as image:
            return image.height, image.width


def part(data: bytes, box: Box, channels: int, reduced: int = 1) -> np.ndarray:
    """Returns a part of an encoded image.

    Args:
      data: the image, as in its file.
      box: the part, inside the image; its edges are multiples of `reduced`.
      channels: C.
      reduced: 1, 2, 4 or 8: how many times smaller the part is to be.

    Returns:
      uint8 [height / reduced, width / reduced, C]; perhaps in memory that the next call of this thread uses.

    Raises:
      ValueError, OSError: the image is damaged, or of no known format.
    """
    found = _jpeg(data, box, channels, reduced)
    return _any(data, box, channels, reduced) if found is None else found


def whole(data: bytes, channels: int) -> np.ndarray:
    """Returns an encoded image, uint8 [H, W, C]; raises `ValueError` or `OSError` if that cannot be."""
    return part(data, Box(0, 0, *dimensions(data)), channels).copy()


def check(data: bytes) -> None:
    """Raises `ValueError` or `OSError` if an encoded image cannot be decoded whole."""
    part(data, Box(0, 0, *dimensions(data)), 3)


def _header(data: bytes) -> tuple[int, int, str, str]:
    """Returns (H, W, space of colours, their sampling) of a JPEG; raises `ValueError` if it is none."""
    found: Any = simplejpeg.decode_jpeg_header(data)
    return found


def _jpeg(data: bytes, box: Box, channels: int, reduced: int) -> np.ndarray | None:
    """Returns a part of a JPEG; None if it is none, or if libjpeg-turbo has doubts."""
    try:
        height, width, space, sampling = _header(data)
    except ValueError:
        return None
    if space not in ('YCbCr', 'RGB', 'Gray') or channels not in _SPACES:
        return None
    if reduced > 1 and sampling not in _REDUCIBLE:
        return None
    # A row below, for colours are interpolated between rows.
    needed = min(height, -(-(box.top + box.height + 1) // _ROWS) * _ROWS)
    at = _height_at(data) if needed < height else None
    rows = height if at is None else needed
    shape = -(-rows // reduced), -(-width // reduced), channels
    whole = _local.array(shape)
    shortened = data if at is None else data[:at] + struct.pack('>H', rows) + data[at + 2 :]
    try:
        simplejpeg.decode_jpeg(
            shortened, _SPACES[channels], min_height=shape[0], min_width=shape[1], buffer=whole
        )
    except ValueError as doubt:
        if at is None or 'extraneous bytes' not in str(doubt):  # the rows that were left out are extraneous
            return None
    top, left, *size = (each // reduced for each in box)
    return whole[top : top + size[0], left : left + size[1]]


def _height_at(data: bytes) -> int | None:
    """Returns where a JPEG says its height; None if it is not coded from top to bottom, or not understood."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = struct.unpack_from('>xBH', data, at)
        if marker in (0xC0, 0xC1):  # sequential, by Huffman's code
            return at + 5
        if 0xC2 <= marker <= 0xDA and marker not in (0xC4, 0xC8, 0xCC):
            return None
        at += 2 + length
    return None


def _any(data: bytes, box: Box, channels: int, reduced: int) -> np.ndarray:
    """Returns a part of an image of any format."""
    top, left, height, width = box
    with Image.open(io.BytesIO(data)) as image:
        cut = image.convert(MODES[channels]).crop((left, top, left + width, top + height))
    return np.asarray(cut.reduce(reduced)).reshape(height // reduced, width // reduced, channels)
