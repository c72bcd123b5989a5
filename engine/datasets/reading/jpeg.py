"""Decodes a part of a JPEG in less time than the whole takes, by libjpeg-turbo.

It decodes down to the last row of the part and no further, and at half, a quarter or an eighth of the size on
request. The functions return None for files that Pillow must decode: other formats, CMYK, an orientation that
EXIF does not state in the usual way, and files that libjpeg-turbo complains about.
"""

import math
import struct
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import simplejpeg

_SPACES = {1: 'GRAY', 3: 'RGB'}
_REDUCIBLE = {'444', '420', 'Gray'}  # with other samplings, libjpeg shifts colours a little
_BLOCK_ROWS = 16  # the most rows that JPEG codes together
_APP1 = 0xE1
_ORIENTATION, _SHORT = 0x0112, 3  # the tag of EXIF, and its type
_EXIF, _XMP_ORIENTATION = b'Exif\0\0', b'tiff:Orientation'


class _Header(NamedTuple):
    """What the head of a JPEG states.

    Attributes:
      height: of the stored image.
      width: of the stored image.
      space: the space of its colours.
      sampling: how colours are sampled.
      orientation: of the EXIF data, 1 without.
      height_at: the offset of the height in the file, None if rows are not coded from top to bottom.
    """

    height: int
    width: int
    space: str
    sampling: str
    orientation: int
    height_at: int | None


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


def orientation(data: bytes) -> int | None:
    """Returns the EXIF orientation, 1 if there is none."""
    header = _header(data)
    return header.orientation if header else None


def stored_size(data: bytes) -> tuple[int, int] | None:
    """Returns (H, W) of the stored image."""
    header = _header(data)
    return (header.height, header.width) if header else None


def part(data: bytes, box: tuple[int, int, int, int], channels: int, reduction: int) -> np.ndarray | None:
    """Decodes a part of the stored image.

    Args:
      data: the file.
      box: top, left, height and width of the part.
      channels: C.
      reduction: 1, 2, 4 or 8. Edges are rounded down to multiples of it.

    Returns:
      uint8 [height // reduction, width // reduction, C]. The next call of the same thread overwrites it.
    """
    header = _header(data)
    if header is None or channels not in _SPACES or (reduction > 1 and header.sampling not in _REDUCIBLE):
        return None
    rows = _decoded_rows(data, header, box[0] + box[2], channels, reduction)
    if rows is None:
        return None
    top, left, height, width = (pixels // reduction for pixels in box)
    return rows[top : top + height, left : left + width]


def is_grey(data: bytes) -> bool:
    """Whether the JPEG has one channel."""
    header = _header(data)
    return header is not None and header.space == 'Gray'


def complaint(data: bytes) -> str:
    """Decodes a whole file, and returns what libjpeg-turbo complains about, '' if about nothing.

    Other formats are no JPEG, and it complains about them too.
    """
    try:
        space = simplejpeg.decode_jpeg_header(data)[2]
        simplejpeg.decode_jpeg(data, 'CMYK' if space in ('CMYK', 'YCCK') else 'RGB')
    except ValueError as error:
        return str(error)
    return ''


def _decoded_rows(data: bytes, header: _Header, end: int, channels: int, reduction: int) -> np.ndarray | None:
    """Decodes the stored image from its first row to row `end` or further."""
    # One row more, because colours are interpolated between rows.
    needed = min(header.height, -(-(end + 1) // _BLOCK_ROWS) * _BLOCK_ROWS)
    at = header.height_at if needed < header.height else None
    rows = header.height if at is None else needed
    shape = -(-rows // reduction), -(-header.width // reduction), channels
    pixels = _local.array(shape)
    shortened = data if at is None else data[:at] + struct.pack('>H', rows) + data[at + 2 :]
    try:
        simplejpeg.decode_jpeg(
            shortened, _SPACES[channels], min_height=shape[0], min_width=shape[1], buffer=pixels
        )
    except ValueError as error:
        # The rows below the part are extraneous, as intended.
        if at is None or 'extraneous bytes' not in str(error):
            return None
    return pixels


def _header(data: bytes) -> _Header | None:
    """Reads the head of a JPEG."""
    if data[:2] != b'\xff\xd8':
        return None
    try:
        stated: Any = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    turn: int | None = 1
    height_at = None
    for marker, at, end in _segments(data):
        if marker == _APP1 and turn == 1:
            turn = _orientation_in(data[at:end])
        elif marker in (0xC0, 0xC1):  # sequential, with Huffman coding
            height_at = at + 1
    if stated[2] not in ('YCbCr', 'RGB', 'Gray') or turn is None:
        return None
    return _Header(*stated, orientation=turn, height_at=height_at)


def _orientation_in(segment: bytes) -> int | None:
    """Returns the orientation that a segment APP1 states, 1 if none, None if Pillow must tell."""
    if segment.startswith(_EXIF):
        return _orientation_in_exif(segment[len(_EXIF) :])
    return None if _XMP_ORIENTATION in segment else 1


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields marker, start and end of the content of each segment, up to the first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = struct.unpack_from('>xBH', data, at)
        if marker == 0xDA:
            return
        yield marker, at + 4, at + 2 + length
        at += 2 + length


def _orientation_in_exif(exif: bytes) -> int | None:
    """Returns the orientation that EXIF data state, 1 if none, None if they are unusual or damaged.

    Args:
      exif: a TIFF structure, without the prefix `Exif`.
    """
    order = {b'II*\0': '<', b'MM\0*': '>'}.get(exif[:4])
    if order is None:
        return None
    try:
        (at,) = struct.unpack_from(f'{order}I', exif, 4)
        (count,) = struct.unpack_from(f'{order}H', exif, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind, values, value = struct.unpack_from(f'{order}HHIH', exif, entry)
            if tag == _ORIENTATION:
                is_usual = (kind, values) == (_SHORT, 1)
                return None if not is_usual else value if value in range(2, 9) else 1
    except struct.error:
        return None
    return 1
