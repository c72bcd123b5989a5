"""PNG files without loss: images of 8 bits, grey images of 16 bits, and masks, whose pixels are classes.

Pillow alone would scale grey pixels of fewer than 8 bits, and drop half of the bits of 16-bit colours.
"""

import hashlib
import io
import struct
import warnings
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
from PIL import Image

from engine.errors import UserError
from engine.render import palette

MAX_NAME_LENGTH = 150  # characters of a file name that come from an id
_SIGNATURE = b'\x89PNG\r\n\x1a\n'
HEADER_BYTES = 33  # of the signature and the first chunk
_GREY, _COLOURS, _INDEXED = 0, 2, 3  # types of colour
_CHANNELS = {_GREY: 1, _COLOURS: 3, _INDEXED: 1, 4: 2, 6: 4}


@dataclass(frozen=True)
class PngHeader:
    """What the head of a PNG file states.

    Attributes:
      height: pixels.
      width: pixels.
      bits: of a channel of a pixel.
      colour: PNG's type of colour.
    """

    height: int
    width: int
    bits: int
    colour: int

    @classmethod
    def of(cls, head: bytes, where: str) -> 'PngHeader':
        """Parses the first bytes of a file. Raises `UserError` if it is not a PNG file."""
        if head[:8] != _SIGNATURE or head[12:16] != b'IHDR' or len(head) < HEADER_BYTES:
            raise UserError(f'{where} is not a PNG file.')
        width, height, bits, colour = struct.unpack('>IIBB', head[16:26])
        return cls(height, width, bits, colour)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of its pixels."""
        return np.dtype(np.uint16 if self.bits == 16 else np.uint8)

    @property
    def channels(self) -> int:
        """The number of channels: 1 grey or indices, 2 grey and opacity, 3 colours, 4 colours and opacity."""
        return _CHANNELS.get(self.colour, 0)

    def check(self, where: str, is_mask: bool) -> None:
        """Raises `UserError` if pixels cannot be read without loss, or are not what is expected."""
        if self.bits == 16 and self.colour != _GREY:
            problem = 'has 16 bits per colour. Save 8 bits, or grey of 16 bits, or an array as .npy'
        elif is_mask and self.channels != 1:
            problem = 'has colours, but a mask holds the class of each pixel. Save it as grey or indexed PNG'
        elif not is_mask and self.colour == _INDEXED:
            problem = 'holds indices of a palette, not colours. Save it in grey or in colours'
        else:
            return
        raise UserError(f'{where} {problem}.')


def encode(pixels: np.ndarray) -> bytes:
    """Returns the PNG file of a mask [h, w], or of an image [h, w, c].

    Masks of uint8 become indexed PNGs, whose indices are the classes.

    Args:
      pixels: uint8, or uint16 with at most one channel.
    """
    squeezed = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
    image = Image.fromarray(np.ascontiguousarray(squeezed))
    if pixels.ndim == 2 and pixels.dtype == np.uint8:
        image.putpalette(palette.colours(256).tobytes())
    file = io.BytesIO()
    image.save(file, 'PNG')
    return file.getvalue()


def decode(data: bytes, where: str, is_mask: bool) -> np.ndarray:
    """Decodes a PNG file.

    Args:
      data: its content.
      where: its name, for messages.
      is_mask: whether pixels are classes.

    Returns:
      [h, w] for a mask, else [h, w, c]; uint8 or uint16.

    Raises:
      UserError: the file is damaged, or its pixels cannot be read without loss.
    """
    header = PngHeader.of(data, where)
    header.check(where, is_mask)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            pixels = _pixels(data, header, is_mask)
    except Exception as error:  # Pillow's parser raises many
        raise UserError(f'{where} cannot be read: {error!s:.200}.') from error
    return pixels if is_mask else pixels.reshape(header.height, header.width, header.channels)


def _pixels(data: bytes, header: PngHeader, is_mask: bool) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=['PNG']) as image:
        image.load()
        if image.mode == '1':
            return np.asarray(image).astype(np.uint8) * (1 if is_mask else 255)
        pixels = np.asarray(image).astype(header.dtype, copy=False)
    is_scaled = is_mask and header.colour == _GREY and header.bits < 8
    return pixels // (255 // (2**header.bits - 1)) if is_scaled else pixels


def file_name(example_id: str) -> str:
    """Returns an id as a file name that every file system accepts; unusual characters become %XX."""
    name = quote(example_id, safe='')
    if len(name) <= MAX_NAME_LENGTH:
        return name
    return f'{name[:MAX_NAME_LENGTH]}-{hashlib.sha256(example_id.encode()).hexdigest()[:16]}'
