"""Pictures to decode: like photographs in what they cost."""

import numpy as np
from PIL import Image, ImageDraw


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Returns a picture, uint8 [height, width, 3]: octaves of noise, a gradient, some shapes, grain."""
    random = np.random.default_rng(seed)
    image = sum(_octave(random, octave, height, width) for octave in range(1, 9))
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    image = image + random.uniform(-60, 60, 3) * x[..., None] + random.uniform(-60, 60, 3) * y[..., None]
    shaped = Image.fromarray(np.clip(image + 118, 0, 255).astype(np.uint8))
    _add_shapes(random, shaped)
    grain = random.normal(size=(height, width, 1)) * 7
    return np.clip(np.asarray(shaped) + grain, 0, 255).astype(np.uint8)


def _octave(random: np.random.Generator, octave: int, height: int, width: int) -> np.ndarray:
    """Returns noise of one size of grain, mostly gray: f64 [height, width, 3]."""
    grid = random.normal(size=(2**octave, 2**octave, 3))
    grid = (0.4 * grid + 0.6 * grid.mean(-1, keepdims=True)).astype(np.float32)
    channels = [
        np.asarray(Image.fromarray(grid[..., channel]).resize((width, height), Image.Resampling.BICUBIC))
        for channel in range(3)
    ]
    return np.stack(channels, -1) * 48 / 1.45**octave


def _add_shapes(random: np.random.Generator, image: Image.Image) -> None:
    draw = ImageDraw.Draw(image)
    for index in range(8):
        x, y = random.integers(image.width), random.integers(image.height)
        radius = random.integers(image.height // 50, image.height // 5)
        colour = tuple(int(each) for each in random.integers(0, 256, 3))
        shape = draw.ellipse if index % 2 else draw.rectangle
        shape((int(x - radius), int(y - radius), int(x + radius), int(y + radius)), fill=colour)
