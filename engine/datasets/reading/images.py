"""Decodes a part of an image in less time than the whole image takes.

Letters: H, W are height and width of the whole image, C is its number of channels: 1 gray, 3 colours, 4 with
opacity.

libjpeg-turbo decodes JPEG, down to the last row of the part and no further, and at half, a quarter or an
eighth of the size on request. Pillow decodes everything else: other formats, CMYK, and files that
libjpeg-turbo complains about. Pillow raises if a file is damaged.
"""

import io
import math
import struct
import threading
from typing import Any, NamedTuple

import numpy as np
import simplejpeg
from PIL import Image

REDUCTIONS = (8, 4, 2)  # the factors by which libjpeg-turbo shrinks an image while it decodes
MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}

_SPACES = {1: 'GRAY', 3: 'RGB'}
_REDUCIBLE = {'444', '420', 'Gray'}  # with other samplings, libjpeg shifts colours a little
_BLOCK_ROWS = 16  # the most rows that JPEG codes together


class Box(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


class _Local(threading.local):
    """Memory that a thread reuses, because new memory for each image takes a tenth of the time."""

    def __init__(self) -> None:
        self.memory = np.empty(0, np.uint8)

    def array(self, shape: tuple[int, int, int]) -> np.ndarray:
        size = math.prod(shape)
        if size > self.memory.size:
            self.memory = np.empty(size, np.uint8)
        return self.memory[:size].reshape(shape)


_local = _Local()


def dimensions(data: bytes) -> tuple[int, int]:
    """Returns (H, W) of an encoded image. Raises `ValueError` or `OSError` if it is not an image."""
    try:
        return _header(data)[:2]
    except ValueError:
        with Image.open(io.BytesIO(data)) as image:
            return image.height, image.width


def part(data: bytes, box: Box, channels: int, reduction: int = 1) -> np.ndarray:
    """Decodes a part of an image.

    Args:
      data: the encoded image.
      box: the part, inside the image. Its edges are multiples of `reduction`.
      channels: C.
      reduction: 1, 2, 4 or 8, the factor by which the part shrinks.

    Returns:
      uint8 [height / reduction, width / reduction, C]. The next call of the same thread may overwrite it.

    Raises:
      ValueError, OSError: the image is damaged, or its format is unknown.
    """
    pixels = _decode_jpeg(data, box, channels, reduction)
    return _decode_any(data, box, channels, reduction) if pixels is None else pixels


def whole(data: bytes, channels: int) -> np.ndarray:
    """Decodes a whole image, uint8 [H, W, C]. Raises `ValueError` or `OSError` if it is damaged."""
    return part(data, Box(0, 0, *dimensions(data)), channels).copy()


def check(data: bytes) -> None:
    """Raises `ValueError` or `OSError` if an encoded image is damaged."""
    part(data, Box(0, 0, *dimensions(data)), 3)


def _header(data: bytes) -> tuple[int, int, str, str]:
    """Returns (H, W, colour space, colour sampling) of a JPEG. Raises `ValueError` if it is not one."""
    header: Any = simplejpeg.decode_jpeg_header(data)
    return header


def _decode_jpeg(data: bytes, box: Box, channels: int, reduction: int) -> np.ndarray | None:
    """Decodes a part of a JPEG. Returns None for other formats, or if libjpeg-turbo complains."""
    try:
        height, width, space, sampling = _header(data)
    except ValueError:
        return None
    if space not in ('YCbCr', 'RGB', 'Gray') or channels not in _SPACES:
        return None
    if reduction > 1 and sampling not in _REDUCIBLE:
        return None
    # One row more, because colours are interpolated between rows.
    needed = min(height, -(-(box.top + box.height + 1) // _BLOCK_ROWS) * _BLOCK_ROWS)
    at = _height_at(data) if needed < height else None
    rows = height if at is None else needed
    shape = -(-rows // reduction), -(-width // reduction), channels
    whole = _local.array(shape)
    shortened = data if at is None else data[:at] + struct.pack('>H', rows) + data[at + 2 :]
    try:
        simplejpeg.decode_jpeg(
            shortened, _SPACES[channels], min_height=shape[0], min_width=shape[1], buffer=whole
        )
    except ValueError as complaint:
        # The rows below the part are extraneous, as intended.
        if at is None or 'extraneous bytes' not in str(complaint):
            return None
    top, left, *size = (edge // reduction for edge in box)
    return whole[top : top + size[0], left : left + size[1]]


def _height_at(data: bytes) -> int | None:
    """Returns the offset of a JPEG's height, None if its rows are not coded from top to bottom."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = struct.unpack_from('>xBH', data, at)
        if marker in (0xC0, 0xC1):  # sequential, with Huffman coding
            return at + 5
        if 0xC2 <= marker <= 0xDA and marker not in (0xC4, 0xC8, 0xCC):
            return None
        at += 2 + length
    return None


def _decode_any(data: bytes, box: Box, channels: int, reduction: int) -> np.ndarray:
    """Decodes a part of an image of any format that Pillow knows."""
    top, left, height, width = box
    with Image.open(io.BytesIO(data)) as image:
        cut = image.convert(MODES[channels]).crop((left, top, left + width, top + height))
    return np.asarray(cut.reduce(reduction)).reshape(height // reduction, width // reduction, channels)
