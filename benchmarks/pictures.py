"""Generated pictures that cost about as much to decode as photographs, and files of them."""

from pathlib import Path

import numpy as np
import simplejpeg
from numpy.lib.format import open_memmap
from PIL import Image, ImageDraw

SMALL_IMAGES = 20_000  # a multiple of 400
JPEGS = 150


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Returns a picture of smooth noise at several scales, a gradient, shapes and grain.

    Args:
      seed: of everything random in the picture.
      height: pixels.
      width: pixels.

    Returns:
      The picture, uint8 [height, width, 3].
    """
    random = np.random.default_rng(seed)
    image = sum(_noise(random, octave, height, width) for octave in range(1, 9))
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    image = image + random.uniform(-60, 60, 3) * x[..., None] + random.uniform(-60, 60, 3) * y[..., None]
    canvas = Image.fromarray(np.clip(image + 118, 0, 255).astype(np.uint8))
    _draw_shapes(random, canvas)
    grain = random.normal(size=(height, width, 1)) * 7
    return np.clip(np.asarray(canvas) + grain, 0, 255).astype(np.uint8)


def _noise(random: np.random.Generator, octave: int, height: int, width: int) -> np.ndarray:
    """Returns mostly gray noise, float32 [height, width, 3]. A higher octave has finer and weaker noise."""
    grid = random.normal(size=(2**octave, 2**octave, 3))
    grid = (0.4 * grid + 0.6 * grid.mean(-1, keepdims=True)).astype(np.float32)
    channels = [
        np.asarray(Image.fromarray(grid[..., channel]).resize((width, height), Image.Resampling.BICUBIC))
        for channel in range(3)
    ]
    return np.stack(channels, -1) * 48 / 1.45**octave


def _draw_shapes(random: np.random.Generator, image: Image.Image) -> None:
    """Draws eight random ellipses and rectangles."""
    draw = ImageDraw.Draw(image)
    for index in range(8):
        x, y = random.integers(image.width), random.integers(image.height)
        radius = random.integers(image.height // 50, image.height // 5)
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if index % 2 else draw.rectangle
        shape((int(x - radius), int(y - radius), int(x + radius), int(y + radius)), fill=colour)


def write_small_images(folder: Path) -> None:
    """Writes image.npy, uint8 [20000, 32, 32, 3], and label.npy, int32 [20000]."""
    large = (picture(seed, 640, 640) for seed in range(SMALL_IMAGES // 400))
    sheets = [image.reshape(20, 32, 20, 32, 3).swapaxes(1, 2) for image in large]
    np.save(folder / 'image.npy', np.concatenate(sheets).reshape(-1, 32, 32, 3))
    np.save(folder / 'label.npy', np.arange(SMALL_IMAGES, dtype=np.int32) % 10)


def write_jpegs(folder: Path) -> list[bytes]:
    """Writes JPEG files of width 500 and height 375; returns their contents."""
    files = [simplejpeg.encode_jpeg(picture(seed, 375, 500), quality=90) for seed in range(JPEGS)]
    for index, data in enumerate(files):
        (folder / f'{index:04}.jpg').write_bytes(data)
    return files


def write_blank_images(folder: Path, count: int) -> None:
    """Writes the split `train` of blank images: image.npy, uint8 [count, 32, 32, 3], and ids.txt."""
    split = folder / 'train'
    split.mkdir()
    open_memmap(split / 'image.npy', 'w+', np.uint8, (count, 32, 32, 3)).flush()
    (split / 'ids.txt').write_text(''.join(f'example-{index:07}\n' for index in range(count)))
