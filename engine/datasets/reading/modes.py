"""Converts images of any mode of Pillow's to 8 bits: grey or RGB, with or without opacity."""

from typing import NamedTuple

import numpy as np
from PIL import Image

MODES = {1: 'L', 2: 'LA', 3: 'RGB', 4: 'RGBA'}  # by channels
DARK = 16  # an image whose brightest value is below 1/16 of white is nearly black
CONVERT = 'Convert it to 8 or 16 bits'
TO_RGB, TO_GREY = 'grey to RGB', 'RGB to grey'

# Tags of TIFF files.
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339
WHITE_IS_ZERO, SIGNED = 0, 2

_DEEP = ('I;16', 'I;16B', 'I;16L', 'I;16N')
_STRAIGHT = {'La': 'LA', 'RGBa': 'RGBA', 'RGBX': 'RGB'}  # modes with premultiplied or unused fourth channel
_COLOUR = ('CMYK', 'YCbCr', 'HSV')


class ImageError(ValueError):
    """An image is damaged, or not an image. The message completes "<file> ...", such as "is truncated"."""


class Levels(NamedTuple):
    """The numbers of a grey image that has more than 8 bits.

    Attributes:
      values: [H, W], of any dtype.
      white: the value of white.
    """

    values: np.ndarray
    white: float


def eight_bits(image: Image.Image, conversions: list[str]) -> Image.Image:
    """Returns an image of the mode L, LA, RGB or RGBA."""
    if levels := levels_of(image):
        return _scaled(image, levels, conversions)
    if image.mode == 'LAB':
        conversions.append('CIELab to RGB')
        return _from_lab(image)
    if image.mode in _COLOUR:
        conversions.append(f'{image.mode} to RGB')
        return image.convert('RGB')
    if image.mode in _STRAIGHT:
        return image.convert(_STRAIGHT[image.mode])
    if image.has_transparency_data:
        return image.convert('LA' if image.mode in ('1', 'L', 'LA') else 'RGBA')
    return image.convert('L' if image.mode in ('1', 'L') else 'RGB')


def levels_of(image: Image.Image) -> Levels | None:
    """Returns the numbers of an image with more than 8 bits, None for other images.

    Raises:
      ImageError: nothing says which number is white.
    """
    if image.mode == 'L' and _tag(image, SAMPLE_FORMAT) == SIGNED:
        raise ImageError(f'holds integers with a sign, and nothing says which is white. {CONVERT}')
    if image.mode in _DEEP or (image.mode == 'I' and image.format in ('PNG', 'PPM')):
        white = 4095 if _tag(image, BITS_PER_SAMPLE) == 12 else 65535
        values = np.asarray(image).astype(np.uint16)
        return Levels(white - values if _tag(image, PHOTOMETRIC) == WHITE_IS_ZERO else values, white)
    return _unbounded(image) if image.mode in ('I', 'F') else None


def _unbounded(image: Image.Image) -> Levels:
    """Returns the numbers of an image of floats or 32-bit integers."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if not np.isfinite(values).all():
        raise ImageError(f'holds NaN or infinity. {CONVERT}')
    if low < 0 or high > 255 or _tag(image, PHOTOMETRIC) == WHITE_IS_ZERO:
        raise ImageError(
            f'holds numbers from {low:g} to {high:g}, and nothing says which is white. {CONVERT}'
        )
    return Levels(values, 1.0 if values.dtype.kind == 'f' and high <= 1 else 255)


def _tag(image: Image.Image, number: int) -> int | None:
    """Returns the first value of a tag of a TIFF file, None for other files."""
    value = getattr(image, 'tag_v2', {}).get(number)
    return value[0] if isinstance(value, tuple) else value


def _scaled(image: Image.Image, levels: Levels, conversions: list[str]) -> Image.Image:
    """Returns levels as 8 bits: L, or LA if a level is transparent."""
    values, white = levels
    kind = 'floats' if values.dtype.kind == 'f' else 'integers'
    conversions.append(f'{kind} up to {white:g} to 8 bits')
    if 0 < float(values.max()) * DARK < white:
        conversions.append(f'nearly black, because its brightest value is below 1/{DARK} of {white:g}')
    grey = Image.fromarray(np.round(values * (255 / white)).astype(np.uint8))
    transparent = image.info.get('transparency')
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def _from_lab(image: Image.Image) -> Image.Image:
    """Returns a CIELab image as RGB."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile('LAB'), ImageCms.createProfile('sRGB')
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode='RGB')
    assert converted is not None
    return converted


def with_channels(image: Image.Image, channels: int, conversions: list[str]) -> Image.Image:
    """Returns an image with these channels. Transparency is composited on white if they hold no opacity."""
    if channels in (1, 3) and image.mode in ('LA', 'RGBA'):
        image = _on_white(image, conversions)
    if image.mode[0] != MODES[channels][0]:
        conversions.append(TO_RGB if image.mode[0] == 'L' else TO_GREY)
    return image.convert(MODES[channels])


def _on_white(image: Image.Image, conversions: list[str]) -> Image.Image:
    low, high = image.getchannel('A').getextrema()
    if low == 255:
        return image.convert(image.mode[:-1])
    conversions.append('transparency on white' if high else 'wholly transparent, so white')
    white = Image.new('RGBA', image.size, 'white')
    return Image.alpha_composite(white, image.convert('RGBA')).convert(image.mode[:-1])
