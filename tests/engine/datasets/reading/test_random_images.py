"""Random image files are decoded to what they show, or refused in words. Nothing else is raised.

FUZZ=3000 scripts/test.sh tests/engine/datasets/reading/test_random_images.py tries more.
"""

import warnings
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.reading import images
from tests.engine.datasets.reading import image_files
from tests.engine.datasets.reading.image_files import LOSSY, MODES
from tests.engine.random_cases import random_cases

# Levels by which the decoding of JPEG to grey may differ: libjpeg-turbo takes the luma of the file, which
# saturated colours exceed.
GREY_JPEG = 8
OUTSIDE_SRGB = 30  # CIELab holds colours outside of sRGB, which are clipped in different ways

KINDS = st.sampled_from([(kind, mode) for kind, modes in MODES.items() for mode in modes])
SIDES = st.sampled_from([1, 2, 3, 7, 8, 16, 17, 33, 40, 257])


@st.composite
def image_file(draw: Any) -> tuple[str, str, bytes]:
    """Draws format, mode and content of an image file."""
    kind, mode = draw(KINDS)
    image = image_files.picture(draw(st.integers(0, 3)), draw(SIDES), draw(SIDES), mode)
    orientation = draw(st.sampled_from([None, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
    options: dict[str, Any] = {}
    if kind == 'JPEG':
        options = {
            'quality': draw(st.integers(30, 100)),
            'progressive': draw(st.booleans()),
            'subsampling': draw(st.integers(0, 2)),
        }
    if kind == 'TIFF' and mode not in ('LAB', 'YCbCr', 'CMYK') and orientation not in (0, 9):
        options['compression'] = draw(st.sampled_from([None, 'tiff_lzw', 'tiff_adobe_deflate', 'packbits']))
    return kind, mode, image_files.saved(image, kind, orientation, **options)


def tolerance(kind: str, mode: str, channels: int) -> float:
    """Returns the largest difference from the reference, in levels of grey."""
    if mode == 'LAB':
        return OUTSIDE_SRGB
    if kind == 'JPEG' and channels == 1:
        return GREY_JPEG
    return 2 if kind in LOSSY else 1


@random_cases(40)
@given(file=image_file(), channels=st.sampled_from([1, 3]), data=st.data())
def test_an_intact_file_is_decoded_to_what_it_shows(
    file: tuple[str, str, bytes], channels: int, data: st.DataObject
) -> None:
    kind, mode, content = file
    expected = image_files.shown(content, channels)
    decoded = images.whole(content, channels)
    assert (decoded.shape, decoded.dtype) == (expected.shape, np.uint8)
    assert np.abs(decoded - expected).max() <= tolerance(kind, mode, channels)
    assert images.dimensions(content, channels) == expected.shape[:2]
    examined = images.examine(content, channels)
    assert (examined.height, examined.width) == expected.shape[:2]
    height, width = (data.draw(st.integers(1, side)) for side in expected.shape[:2])
    top, left = (
        data.draw(st.integers(0, side - part))
        for side, part in zip(expected.shape[:2], (height, width), strict=True)
    )
    part = images.part(content, images.Box(top, left, height, width), channels)
    np.testing.assert_array_equal(part, decoded[top : top + height, left : left + width])


@random_cases(40)
@given(file=image_file(), channels=st.sampled_from([1, 3]), data=st.data())
def test_a_damaged_file_is_decoded_or_refused_in_words(
    file: tuple[str, str, bytes], channels: int, data: st.DataObject
) -> None:
    """What is accepted is what Pillow shows. Formats without checksums do not notice all damage."""
    content = bytearray(file[2])
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            examined = images.examine(damaged, channels)
            decoded = images.whole(damaged, channels)
    except images.ImageError as error:
        assert str(error).startswith(('is ', 'has ', 'holds '))
        assert 'object at 0x' not in str(error)
        return
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        expected = image_files.shown(damaged, channels)
    assert decoded.shape == (examined.height, examined.width, channels) == expected.shape
    if channels == 3:
        assert np.abs(decoded - expected).max() <= (OUTSIDE_SRGB if examined.mode == 'TIFF LAB' else 2)
