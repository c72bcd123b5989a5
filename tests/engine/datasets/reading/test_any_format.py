"""Each unusual kind of image file is decoded to the right pixels, or refused in words."""

import io
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from engine.datasets.reading import images
from engine.datasets.reading.images import Box, ImageError
from engine.parts.crops import Crops
from tests.engine import photos
from tests.engine.datasets.reading.image_files import HOLDS_EXIF, saved

PHOTO = Image.fromarray(photos.picture(2, 24, 40))
GREY = np.asarray(PHOTO.convert('L'))
HALF_RED = Image.new('RGBA', (4, 3), (255, 0, 0, 128))


def upright(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert('RGB'))


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', HOLDS_EXIF)
def test_every_orientation_of_every_format(kind: str, orientation: int) -> None:
    data = saved(PHOTO, kind, orientation, **({'quality': 95} if kind == 'JPEG' else {}))
    expected = upright(data)
    assert images.dimensions(data) == expected.shape[:2]
    np.testing.assert_array_equal(images.whole(data, 3), expected)
    np.testing.assert_array_equal(images.part(data, Box(3, 2, 7, 11), 3), expected[3:10, 2:13])
    assert images.examine(data, 3).conversions == (('turned upright by EXIF',) if orientation > 1 else ())


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('reduction', images.REDUCTIONS)
def test_a_reduced_part_of_a_turned_jpeg(reduction: int, orientation: int) -> None:
    """It is at most `reduction - 1` pixels beside the part that was asked for."""
    smooth = Image.fromarray(photos.picture(2, 9, 11)).resize((180, 150), Image.Resampling.BICUBIC)
    data = saved(smooth, 'JPEG', orientation, quality=97)
    whole = upright(data).astype(float)
    box = Box(16, 24, 9 * reduction, 11 * reduction)
    part = images.part(data, box, 3, reduction)
    assert part.shape == (9, 11, 3)
    differences = []
    for top in range(box.top - reduction + 1, box.top + reduction):
        for left in range(box.left - reduction + 1, box.left + reduction):
            cut = whole[top : top + box.height, left : left + box.width]
            means = cut.reshape(9, reduction, 11, reduction, 3).mean((1, 3))
            differences.append(np.abs(means - part).mean())
    assert min(differences) < 1


def test_training_and_evaluation_see_turned_images_upright() -> None:
    """The crop of a turned JPEG equals the crop of the same pixels in a PNG, stored upright."""
    crops, draws = Crops(size=16, workers=0), np.random.default_rng(0).random((10, 4))
    large = Image.fromarray(photos.picture(2, 6, 9)).resize((90, 60), Image.Resampling.BICUBIC)
    for orientation in range(1, 9):
        jpeg = saved(large, 'JPEG', orientation, quality=95)
        png = saved(Image.fromarray(upright(jpeg)), 'PNG')
        for crop in (crops.evaluate, partial(crops.train, draws=draws)):
            difference = crop(jpeg, channels=3).astype(float) - crop(png, channels=3)
            assert np.abs(difference).mean() < 10  # with another orientation it is about 50


def paged(*frames: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize('kind', ['GIF', 'PNG', 'TIFF', 'WEBP', 'AVIF'])
def test_the_first_of_several_frames_counts(kind: str) -> None:
    first, second = (Image.new('RGB', (16, 16), colour) for colour in ('red', 'blue'))
    data = paged(first, second, kind=kind)
    assert np.abs(images.whole(data, 3) - np.array([255.0, 0, 0])).max() <= 3
    assert 'the first of several frames or pages' in images.examine(data, 3).conversions


def test_transparent_colours_of_png_are_white() -> None:
    rgb = np.asarray(PHOTO).copy()
    rgb[:4] = 7, 8, 9
    data = saved(Image.fromarray(rgb), 'PNG', transparency=(7, 8, 9))
    expected = np.where((rgb == (7, 8, 9)).all(-1, keepdims=True), 255, rgb)
    np.testing.assert_array_equal(images.whole(data, 3), expected)
    grey = GREY.copy()
    grey[:4] = 7
    data = saved(Image.fromarray(grey), 'PNG', transparency=7)
    np.testing.assert_array_equal(images.whole(data, 1)[..., 0], np.where(grey == 7, 255, grey))
    deep = grey.astype(np.uint16) * 257
    data = saved(Image.fromarray(deep), 'PNG', transparency=7 * 257)
    np.testing.assert_array_equal(images.whole(data, 1)[..., 0], np.where(grey == 7, 255, grey))
    palette = PHOTO.convert('P', colors=4)
    indices, colours = np.asarray(palette), np.asarray(palette.convert('RGB'))
    data = saved(palette, 'PNG', transparency=int(indices[0, 0]))
    expected = np.where((indices == indices[0, 0])[..., None], 255, colours)
    np.testing.assert_array_equal(images.whole(data, 3), expected)


def test_hidden_colours_do_not_appear() -> None:
    hidden = Image.new('RGBA', (4, 3), (255, 0, 0, 0))
    data = saved(hidden, 'PNG')
    assert images.whole(data, 3).min() == 255
    assert images.examine(data, 3).conversions == ('wholly transparent, so white',)
    np.testing.assert_array_equal(images.whole(data, 4), np.asarray(hidden))
    assert np.abs(images.whole(saved(HALF_RED, 'PNG'), 3)[0, 0] - np.array([255, 127.0, 127])).max() <= 1


def test_premultiplied_opacity_is_undone() -> None:
    premultiplied = HALF_RED.convert('RGBa')
    data = bytearray(saved(HALF_RED, 'TIFF'))
    straight = np.asarray(HALF_RED).tobytes()
    at = data.index(straight)
    data[at : at + len(straight)] = premultiplied.tobytes()
    tag = data.index(struct.pack('<HHI', 338, 3, 1))  # ExtraSamples: 1 is premultiplied, 2 is not
    data[tag + 8] = 1
    assert np.abs(images.whole(bytes(data), 3)[0, 0] - np.array([255, 127.0, 127])).max() <= 2


def tiff(values: np.ndarray, tags: dict[int, int] | None = None) -> bytes:
    return saved(Image.fromarray(values), 'TIFF', tiffinfo=tags or {})


ACCEPTED: dict[str, tuple[Callable[[], bytes], np.ndarray]] = {
    'floats up to 1': (lambda: tiff((GREY / 255).astype(np.float32)), GREY),
    'floats up to 255': (lambda: tiff(GREY.astype(np.float32)), GREY),
    'integers up to 255': (lambda: tiff(GREY.astype(np.int32)), GREY),
    '16 bits': (lambda: tiff(GREY.astype(np.uint16) * 257), GREY),
    '16 bits, white is 0': (lambda: tiff(65535 - GREY.astype(np.uint16) * 257, {262: 0}), GREY),
    'big endian': (
        lambda: saved(Image.frombytes('I;16B', (40, 24), (GREY.astype('>u2') * 257).tobytes()), 'TIFF'),
        GREY,
    ),
    'pgm of 16 bits': (
        lambda: b'P5 40 24 65535\n' + (GREY.astype('>u2') * 257).tobytes(),
        GREY,
    ),
    'pgm of 12 bits': (
        lambda: b'P5 40 24 4095\n' + np.round(GREY * (4095 / 255)).astype('>u2').tobytes(),
        GREY,
    ),
    'pgm of text': (lambda: b'P2 2 1 255\n7 200\n', np.array([[7, 200]])),
    'black': (lambda: tiff(np.zeros((3, 3), np.float32)), np.zeros((3, 3))),
}


@pytest.mark.parametrize('kind', ACCEPTED)
def test_deep_images_are_scaled(kind: str) -> None:
    make, expected = ACCEPTED[kind]
    assert np.abs(images.whole(make(), 1)[..., 0] - expected.astype(float)).max() <= 1
    images.examine(make(), 3)


def test_a_nearly_black_image_is_said() -> None:
    twelve_bits = GREY.astype(np.uint16) * 16
    assert any('nearly black' in text for text in images.examine(tiff(twelve_bits), 3).conversions)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    'NaN': (lambda: tiff(np.full((3, 3), np.nan, np.float32)), 'NaN or infinity'),
    'infinity': (lambda: tiff(np.full((3, 3), np.inf, np.float32)), 'NaN or infinity'),
    'negative': (lambda: tiff(np.full((3, 3), -0.5, np.float32)), 'holds numbers from -0.5 to -0.5'),
    'Hounsfield units': (lambda: tiff(np.arange(-1000, 2000, 9).astype(np.int32)[None]), 'from -1000 to 19'),
    '12 bits as floats': (lambda: tiff(np.full((3, 3), 4095, np.float32)), 'from 4095 to 4095'),
    '32 bits': (lambda: tiff(np.full((3, 3), 70000, np.int32)), 'from 70000 to 70000'),
    'signed bytes': (lambda: tiff(GREY, {339: 2}), 'integers with a sign'),
    'empty': (lambda: b'', 'is empty'),
    'zeros': (lambda: bytes(100), 'is not an image of a known format'),
    'HEIC': (lambda: b'\0\0\0\x18ftypmif1\0\0\0\0mif1heic', 'HEIC, .* magick FILE.heic FILE.jpg'),
    'page': (lambda: b'\n<html>Not found</html>', 'page in HTML'),
    'SVG': (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', 'SVG'),
    'PDF': (lambda: b'%PDF-1.4', 'PDF'),
    'PostScript': (lambda: b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'PostScript'),
    'pointer': (lambda: b'version https://git-lfs.github.com/spec/v1', 'git lfs pull'),
    'colours as floats': (lambda: tiff(GREY)[:8] + bytes(99), 'TIFF of a kind that Pillow does not read'),
    'array': (lambda: b'\x93NUMPY\x01\0', 'NumPy array'),
    'video': (lambda: b'\0\0\0\x18ftypisom' + bytes(9), 'is a video'),
    'head of a JPEG': (lambda: saved(PHOTO, 'JPEG')[:30], 'is damaged'),
    'macOS': (lambda: b'\x00\x05\x16\x07' + bytes(20), 'resource file of macOS'),
    'huge JPEG': (lambda: _with_size(saved(PHOTO, 'JPEG'), 65000, 65000), 'more than 178,956,970'),
    'half a PNG': (lambda: saved(PHOTO, 'PNG')[:900], 'is damaged'),
    'half a GIF': (lambda: saved(PHOTO, 'GIF')[:600], 'is damaged'),
    'half a TIFF': (lambda: saved(PHOTO, 'TIFF', compression='tiff_lzw')[:900], 'is'),
    'half an AVIF': (lambda: saved(PHOTO, 'AVIF')[:300], 'is'),
}


def _with_size(jpeg: bytes, height: int, width: int) -> bytes:
    at = jpeg.index(b'\xff\xc0') + 5
    return jpeg[:at] + struct.pack('>HH', height, width) + jpeg[at + 4 :]


@pytest.mark.parametrize('kind', REFUSED)
def test_what_cannot_be_used_is_refused_in_words(kind: str) -> None:
    make, reason = REFUSED[kind]
    with pytest.raises(ImageError, match=reason) as refused:
        images.examine(make(), 3)
    assert 'object at 0x' not in str(refused.value)


@pytest.mark.parametrize('size', [(1, 1), (1, 10_000), (10_000, 1), (7, 2)])
def test_tiny_and_long_images(size: tuple[int, int]) -> None:
    height, width = size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    crops, draws = Crops(size=8, workers=0), np.random.default_rng(0).random((10, 4))
    np.testing.assert_array_equal(images.whole(saved(Image.fromarray(pixels), 'PNG'), 3), pixels)
    for kind in ('PNG', 'JPEG'):
        data = saved(Image.fromarray(pixels), kind)
        assert images.dimensions(data) == (height, width)
        assert crops.train(data, 3, draws).shape == crops.evaluate(data, 3).shape == (8, 8, 3)


def with_exif(exif: bytes) -> bytes:
    return saved(PHOTO, 'JPEG', exif=b'Exif\0\0' + exif)


UNUSUAL_EXIF = {
    'damaged': b'no TIFF structure',
    'cut': b'II*\0\x08\0\0\0\x05\0',
    'pointing outside': b'II*\0\xff\xff\0\0',
    'a long number': b'II*\0\x08\0\0\0\x01\0' + struct.pack('<HHII', 0x0112, 4, 1, 6) + bytes(4),
    'big endian': b'MM\0*\0\0\0\x08\0\x01' + struct.pack('>HHIHH', 0x0112, 3, 1, 6, 0) + bytes(4),
}


@pytest.mark.filterwarnings('ignore:Corrupt EXIF')
@pytest.mark.parametrize('kind', UNUSUAL_EXIF)
def test_unusual_exif_is_read_as_pillow_reads_it_or_ignored(kind: str) -> None:
    data = with_exif(UNUSUAL_EXIF[kind])
    try:
        expected = upright(data)
    except Exception:  # Pillow raises anything
        expected = np.asarray(Image.open(io.BytesIO(data)).convert('RGB'))
    np.testing.assert_array_equal(images.whole(data, 3), expected)
    assert images.dimensions(data) == expected.shape[:2]


def test_an_orientation_in_xmp_counts() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    data = saved(PHOTO, 'JPEG', xmp=xmp)
    expected = upright(data)
    assert expected.shape == (40, 24, 3)
    np.testing.assert_array_equal(images.whole(data, 3), expected)
    assert images.dimensions(data) == (40, 24)


def test_bytes_after_the_last_row_are_said_and_harmless() -> None:
    data = saved(PHOTO, 'JPEG')
    padded = data[:-2] + bytes(60) + data[-2:]
    np.testing.assert_array_equal(images.whole(padded, 3), images.whole(data, 3))
    assert any('extraneous bytes' in text for text in images.examine(padded, 3).conversions)
    images.examine(data + b'junk', 3)


def test_colour_profiles_are_ignored() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    plain = saved(PHOTO, 'PNG')
    np.testing.assert_array_equal(
        images.whole(saved(PHOTO, 'PNG', icc_profile=profile), 3), images.whole(plain, 3)
    )


def test_every_chunk_of_a_png_must_have_its_checksum() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text('note', 'anything')
    data = saved(PHOTO, 'PNG', pnginfo=notes)
    changed = data.replace(b'anything', b'somesuch')
    assert changed != data
    with pytest.raises(ImageError, match="the checksum of its chunk 'tEXt' is wrong"):
        images.whole(changed, 3)
