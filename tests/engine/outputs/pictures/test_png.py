"""PNG files keep every pixel, and what cannot be read without loss is one message."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.errors import UserError
from engine.outputs.pictures import png
from tests.engine.random_cases import random_cases

FORMS = [
    (None, 'uint8'),
    (None, 'uint16'),
    (1, 'uint8'),
    (1, 'uint16'),
    (2, 'uint8'),
    (3, 'uint8'),
    (4, 'uint8'),
]


@random_cases(50)
@given(
    form=st.sampled_from(FORMS), height=st.integers(1, 30), width=st.integers(1, 30), seed=st.integers(0, 999)
)
def test_pixels_come_back_as_they_were(form: tuple, height: int, width: int, seed: int) -> None:
    channels, dtype = form
    shape = (height, width) if channels is None else (height, width, channels)
    pixels = np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max, shape, np.dtype(dtype), endpoint=True
    )
    data = png.encode(pixels)
    header = png.PngHeader.of(data[: png.HEADER_BYTES], 'it')
    assert (header.height, header.width, header.dtype) == (height, width, np.dtype(dtype))
    back = png.decode(data, 'it', channels is None)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, pixels)


def grey(bits: int, rows: np.ndarray) -> bytes:
    """Writes a grey PNG of few bits per pixel, by hand."""
    height, width = rows.shape
    texts = (''.join(f'{value:0{bits}b}' for value in row) for row in rows)
    packed = b''.join(
        b'\0' + int(text.ljust(-(-len(text) // 8) * 8, '0'), 2).to_bytes(-(-len(text) // 8)) for text in texts
    )
    head = struct.pack('>IIBBBBB', width, height, bits, 0, 0, 0, 0)
    chunks = [(b'IHDR', head), (b'IDAT', zlib.compress(packed)), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
        for name, data in chunks
    )


@pytest.mark.parametrize('bits', [1, 2, 4, 8])
def test_classes_of_few_bits_are_not_scaled(bits: int) -> None:
    classes = np.arange(24).reshape(4, 6) % 2**bits
    np.testing.assert_array_equal(png.decode(grey(bits, classes), 'it', True), classes)
    levels = png.decode(grey(bits, classes), 'it', False)[..., 0]
    np.testing.assert_array_equal(levels, classes * (255 // (2**bits - 1)))


@pytest.mark.parametrize('colours', [2, 3, 16, 256])
def test_classes_of_a_palette_are_its_indices(colours: int) -> None:
    classes = (np.arange(24).reshape(4, 6) % colours).astype(np.uint8)
    image = Image.fromarray(classes)
    image.putpalette(bytes(range(256)) * 3)
    file = io.BytesIO()
    image.save(file, 'PNG', bits=max(1, (colours - 1).bit_length()) if colours > 4 else 2)
    np.testing.assert_array_equal(png.decode(file.getvalue(), 'it', True), classes)


def saved(mode: str, form: str = 'PNG') -> bytes:
    file = io.BytesIO()
    Image.new(mode, (4, 3)).save(file, form)
    return file.getvalue()


def deep_colours() -> bytes:
    data = bytearray(saved('RGB'))
    data[24] = 16
    return bytes(data)


@pytest.mark.parametrize(
    ('data', 'is_mask', 'message'),
    [
        (b'', True, 'it is not a PNG file'),
        (saved('RGB', 'JPEG'), False, 'it is not a PNG file'),
        (saved('RGB', 'TIFF'), False, 'it is not a PNG file'),
        (saved('RGB')[:45], False, 'it cannot be read'),
        (saved('L')[:-30] + bytes(30), True, 'it cannot be read'),
        (saved('RGB'), True, 'it has colours, but a mask holds the class of each pixel'),
        (saved('LA'), True, 'it has colours'),
        (saved('P'), False, 'it holds indices of a palette, not colours'),
        (deep_colours(), False, 'it has 16 bits per colour'),
    ],
)
def test_what_cannot_be_read_without_loss_is_refused(data: bytes, is_mask: bool, message: str) -> None:
    with pytest.raises(UserError, match=message):
        png.decode(data, 'it', is_mask)
