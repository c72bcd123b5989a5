"""Decodes images of any format and mode that Pillow reads, to 8 bits without transparency.

What a file may hold, and what becomes of it:

    orientation       EXIF orientations 1 to 8 are returned, and `images` turns the pixels upright
    transparency      composited on white, as pages show it; kept where a field has 2 or 4 channels
    16 bits           0 to 65535 becomes 0 to 255 (12 bits: 0 to 4095)
    floats            0 to 1 becomes 0 to 255; values up to 255 stay as they are; others are refused
    32-bit integers   values up to 255 stay as they are; others are refused, for nothing says which is white
    palette, CMYK, YCbCr, CIELab, 1 bit    become RGB or grey
    several frames    the first one counts
    colour profiles   ignored, as by other libraries that train on images: pixels stay as they are in the file

The functions raise `ImageError` for damaged files and for files that are not images.
"""

import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from engine.datasets.reading.modes import ImageError, eight_bits, levels_of, with_channels

# Formats whose decoders run no other program. Pillow knows more, such as EPS, which it passes to Ghostscript.
FORMATS = ('AVIF', 'BMP', 'GIF', 'ICO', 'JPEG', 'JPEG2000', 'PNG', 'PPM', 'QOI', 'TGA', 'TIFF', 'WEBP')
# How the names of such files end. The content decides which format a file has.
SUFFIXES = (
    '.avif', '.bmp', '.gif', '.ico', '.j2k', '.jfif', '.jp2', '.jpe', '.jpeg', '.jpg', '.pbm', '.pgm', '.png',
    '.pnm', '.ppm', '.qoi', '.tga', '.tif', '.tiff', '.webp',
)  # fmt: skip
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)  # Pillow's own limit against decompression bombs

# Pillow warns of EXIF data that it cannot read, and between half of that limit and the limit.
warnings.filterwarnings('ignore', module='PIL')
warnings.filterwarnings('ignore', category=Image.DecompressionBombWarning)

TURNED = 'turned upright by EXIF'

_ORIENTATION = 0x0112
_PNG = b'\x89PNG\r\n\x1a\n'


class UnknownFormatError(ImageError):
    """Pillow does not know the format."""


class FileTraits(NamedTuple):
    """What an image file holds.

    Attributes:
      mode: format and mode, such as `JPEG RGB` or `PNG I;16`.
      conversions: what decoding changes, such as `turned upright by EXIF`.
      height: of the upright image, pixels.
      width: of the upright image, pixels.
    """

    mode: str
    conversions: tuple[str, ...]
    height: int
    width: int


class StoredImage(NamedTuple):
    """A decoded image.

    Attributes:
      pixels: as stored, [H, W, C], or [H, W] for a label map.
      orientation: in which it is stored, 1 to 8 as EXIF numbers them.
      mode: format and mode of the file, such as `PNG I;16`.
      conversions: what is changed, such as `turned upright by EXIF`.
    """

    pixels: np.ndarray
    orientation: int
    mode: str
    conversions: tuple[str, ...]


def decode(data: bytes, channels: int) -> StoredImage:
    """Decodes an image of any format to uint8 [H, W, C]. Raises `ImageError` if it is damaged.

    Args:
      data: the content of the file.
      channels: C: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.
    """
    conversions: list[str] = []
    with _opened(data) as image:
        mode, turn = f'{image.format} {image.mode}', _orientation(image, conversions)
        converted = with_channels(eight_bits(image, conversions), channels, conversions)
    stored = np.asarray(converted).reshape(converted.height, converted.width, channels)
    return StoredImage(stored, turn, mode, tuple(conversions))


def decode_deep(data: bytes, channels: int) -> StoredImage:
    """Decodes an image of any format to uint16 [H, W, C]. 8 bits are scaled to 16.

    Raises:
      ImageError: the image is damaged.
    """
    with _opened(data) as image:
        mode, turn, levels = f'{image.format} {image.mode}', _orientation(image, []), levels_of(image)
    if levels is not None and channels in (1, 3):
        deep = np.round(levels.values * (65535 / levels.white)).astype(np.uint16)
        return StoredImage(np.repeat(deep[..., np.newaxis], channels, -1), turn, mode, ())
    colours = _deep_colours(data) if channels == 3 else None
    if colours is None:
        colours = decode(data, channels).pixels.astype(np.uint16) * np.uint16(257)
    return StoredImage(colours, turn, mode, ())


def _deep_colours(data: bytes) -> np.ndarray | None:
    """Decodes a PNG of 16 bits per colour, uint16 [H, W, 3], which Pillow reduces to 8. None for others."""
    if not data.startswith(_PNG):
        return None
    import cv2  # its import takes a quarter of a second, which others need not wait for

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[2:] != (3,):
        return None
    return pixels[..., ::-1]


def decode_labels(data: bytes) -> StoredImage:
    """Decodes a label map, [H, W]. Its values are never scaled; those of a palette are its indices.

    Raises:
      ImageError: the image is damaged, or has colours, which are not labels.
    """
    with _opened(data) as image:
        mode, turn = f'{image.format} {image.mode}', _orientation(image, [])
        return StoredImage(_label_values(image), turn, mode, ())


def _label_values(image: Image.Image) -> np.ndarray:
    """Returns the labels of an image, [H, W]. Three equal channels count as one."""
    values = np.asarray(image)
    if values.ndim == 2 and values.dtype.kind in 'biu':
        return values.astype(np.uint8) if values.dtype.kind == 'b' else values
    has_opacity = image.mode in ('LA', 'PA', 'RGBA')
    colours = values[..., :-1] if has_opacity else values
    is_opaque = not has_opacity or bool((values[..., -1] == 255).all())
    if image.mode in ('LA', 'PA', 'RGB', 'RGBA') and is_opaque and (colours == colours[..., :1]).all():
        return colours[..., 0]
    raise ImageError(
        f'has the mode {image.mode}, but labels are the values of a grey image or the indices of a palette'
    )


def has_frames(data: bytes) -> bool:
    """Whether an image has further frames or pages, which are not read."""
    try:
        with _opened(data) as image:
            return bool(getattr(image, 'is_animated', False))
    except ImageError:  # a later frame is damaged
        return False


def check_size(height: int, width: int) -> None:
    """Raises `ImageError` if an image has too many pixels."""
    if height * width > MAX_PIXELS:
        raise ImageError(f'has {width} x {height} pixels, more than {MAX_PIXELS:,}. Make it smaller')


# Opening.


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """Opens an image. Whatever is raised in the block becomes an `ImageError`."""
    try:
        _check_file(data)
        with Image.open(io.BytesIO(data), formats=_formats()) as image:
            check_size(image.height, image.width)
            yield image
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise UnknownFormatError('is not an image of a known format') from None
    except Image.DecompressionBombError:
        raise ImageError(f'has more than {MAX_PIXELS:,} pixels. Make it smaller') from None
    except Exception as error:  # for damaged files Pillow raises anything, such as SyntaxError
        raise ImageError(f'is damaged: {str(error) or type(error).__name__}') from None


@cache
def _formats() -> tuple[str, ...]:
    """Returns the formats that this build of Pillow can open."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _check_file(data: bytes) -> None:
    """Raises `ImageError` for damage that Pillow does not notice."""
    if not data:
        raise ImageError('is empty')
    if data.startswith(_PNG) and (chunk := _wrong_chunk(data)):
        raise ImageError(f'is damaged: the checksum of its chunk {chunk!r} is wrong')


def _wrong_chunk(data: bytes) -> str:
    """Returns the first chunk of a PNG whose checksum is wrong, '' if there is none."""
    at = len(_PNG)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        name, stated = data[at + 4 : at + 8], data[end : end + 4]
        is_whole = len(stated) == 4  # Pillow reports truncated files
        if is_whole and zlib.crc32(data[at + 4 : end]) != int.from_bytes(stated):
            return name.decode('latin-1')
        at = end + 4
    return ''


def _orientation(image: Image.Image, conversions: list[str]) -> int:
    """Loads an image and returns the orientation in which it is stored."""
    try:
        stated = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # as above
        stated = 1
        conversions.append('EXIF data that cannot be read, ignored')
    if stated not in range(2, 9):
        stated = 1
    image.load()
    if stated > 1:
        conversions.append(TURNED)
    return 1 if image.format == 'TIFF' else stated  # Pillow turns TIFF itself
