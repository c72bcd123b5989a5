"""Image files of many formats and modes, each with what it shows by an obvious, slow reference.

The reference decodes with Pillow alone and shares no code with the engine.
"""

import io
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from tests.engine import photos

# The formats that Pillow writes, with the modes that each can hold.
MODES: dict[str, tuple[str, ...]] = {
    'JPEG': ('L', 'RGB', 'CMYK'),
    'PNG': ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'I;16'),
    'WEBP': ('L', 'RGB', 'RGBA'),
    'GIF': ('1', 'L', 'P', 'RGB'),
    'BMP': ('1', 'L', 'P', 'RGB', 'RGBA'),
    'TIFF': ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'CMYK', 'YCbCr', 'LAB', 'I', 'I;16', 'F'),
    'PPM': ('1', 'L', 'RGB', 'I;16'),
    'ICO': ('L', 'P', 'RGB', 'RGBA'),
    'TGA': ('1', 'L', 'LA', 'P', 'RGB', 'RGBA'),
    'JPEG2000': ('L', 'LA', 'RGB', 'RGBA', 'I;16'),
    'AVIF': ('RGB', 'RGBA'),
    'QOI': ('RGB', 'RGBA'),
}
HOLDS_EXIF = ('JPEG', 'PNG', 'WEBP', 'TIFF', 'AVIF')
# Bradford's adaptation of the white point: http://www.brucelindbloom.com/Eqn_ChromAdapt.html
_D50_TO_D65 = np.array(
    [
        [0.9555766, -0.0230393, 0.0631636],
        [-0.0282895, 1.0099416, 0.0210077],
        [0.0122982, -0.0204830, 1.3299098],
    ]
)
LOSSY = ('JPEG', 'WEBP', 'AVIF', 'JPEG2000')


def picture(seed: int, height: int, width: int, mode: str) -> Image.Image:
    """Returns something like a photograph in any mode of Pillow's."""
    image = Image.fromarray(photos.picture(seed, height, width))
    grey = np.asarray(image.convert('L'))
    if mode in ('I;16', 'I', 'F'):
        values = {
            'I;16': (grey.astype(np.uint16) * 257 + 100).clip(0, 65535).astype(np.uint16),
            'I': grey.astype(np.int32),
            'F': (grey / 255).astype(np.float32),
        }
        return Image.fromarray(values[mode])
    if mode in ('LA', 'RGBA'):
        base = image.convert(mode[:-1])
        opacity = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
        base.putalpha(Image.fromarray(opacity))
        return base
    if mode == 'LAB':
        level, *colours = image.split()
        near_grey = [Image.fromarray(np.asarray(channel) // 4 + 96) for channel in colours]
        return Image.merge('LAB', (level, *near_grey))
    return image.convert(mode)


def saved(image: Image.Image, kind: str, orientation: int | None = None, **options: Any) -> bytes:
    """Returns an image as a file of a format, with an EXIF orientation."""
    file = io.BytesIO()
    if kind == 'ICO':
        image = image.crop((0, 0, min(image.width, 256), min(image.height, 256)))
        options['sizes'] = [image.size]
    if orientation is not None and kind in HOLDS_EXIF:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options['exif'] = exif
    image.save(file, kind, **options)
    return file.getvalue()


def shown(data: bytes, channels: int) -> np.ndarray:
    """Returns what an image shows, float64 [H, W, C] with 1 or 3 channels, 0 to 255, by the obvious way."""
    with Image.open(io.BytesIO(data)) as opened:
        kind, has_transparency = opened.format, opened.has_transparency_data
        image = ImageOps.exif_transpose(opened)
        if 'transparency' in opened.info:
            image.info['transparency'] = opened.info['transparency']
    if image.mode.startswith('I;16') or (image.mode == 'I' and kind in ('PPM', 'PNG')):
        return _channels(np.asarray(image).astype(float) / 65535 * 255, channels)
    if image.mode == 'I':
        return _channels(np.asarray(image).astype(float), channels)
    if image.mode == 'F':
        values = np.asarray(image).astype(float)
        return _channels(values * 255 if values.max() <= 1 else values, channels)
    if image.mode == 'LAB':
        return _channels(_from_lab(np.asarray(image)), channels)
    if has_transparency:
        pixels = np.asarray(image.convert('RGBA')).astype(float)
        opacity = pixels[..., 3:] / 255
        return _channels(pixels[..., :3] * opacity + 255 * (1 - opacity), channels)
    return _channels(np.asarray(image.convert('RGB')).astype(float), channels)


def _from_lab(stored: np.ndarray) -> np.ndarray:
    """Returns CIELab, as TIFF stores it, as sRGB by scikit-image, for the white point D50."""
    from skimage.color import lab2xyz, xyz2rgb

    lab = stored.astype(float)
    lab[..., 0] *= 100 / 255
    lab[..., 1:] = stored[..., 1:].view(np.int8)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of colours outside of sRGB
        return xyz2rgb(lab2xyz(lab, illuminant='D50') @ _D50_TO_D65.T) * 255


def _channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Returns pixels with 1 or 3 channels. Grey is the luma of ITU-R 601."""
    colours = np.repeat(pixels[..., np.newaxis], 3, -1) if pixels.ndim == 2 else pixels
    if channels == 3:
        return colours
    return (colours @ np.array([0.299, 0.587, 0.114]))[..., np.newaxis]
