"""Renders the scenes as an original would come: PNG images, PNG masks, and a list of names for each split.

A scene is a function of its number and its size alone. Lengths are given in image sides, so that a scene of
any size shows shapes of the same proportions.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ('background', 'circle', 'square', 'triangle', 'star')
SPLITS = {'train': 1000, 'val': 150, 'test': 150}  # scenes, numbered in this order
SIDE = 48  # pixels
SHAPES = (1, 3)  # in a scene: from, to
RADIUS = (0.16, 0.28)  # image sides
INNER = 0.45  # radius of a star's inner corners, of that of its tips
NOISE = 6  # gray levels
FINE = 4  # a shape is drawn so many times larger, and a pixel it covers in part is blended


def write(folder: Path, splits: Mapping[str, int] = SPLITS, side: int = SIDE) -> None:
    """Writes `images/0000.png` and so on, `masks/` of the same names, and `<split>.txt`, into `folder`.

    Args:
      folder: where to.
      splits: number of scenes of each split.
      side: height and width of a scene in pixels.
    """
    (folder / 'images').mkdir(parents=True)
    (folder / 'masks').mkdir()
    numbers = iter(range(sum(splits.values())))
    for split, count in splits.items():
        names = [f'{next(numbers):04d}' for _ in range(count)]
        (folder / f'{split}.txt').write_text(''.join(f'{name}\n' for name in names))
        for name in names:
            image, mask = scene(int(name), side)
            Image.fromarray(image).save(folder / 'images' / f'{name}.png')
            Image.fromarray(mask).save(folder / 'masks' / f'{name}.png')


def scene(number: int, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Returns a scene: image uint8 [side, side, 3] and class of each pixel uint8 [side, side]."""
    random = np.random.default_rng((2026, number))
    image, mask = _texture(random, side), np.zeros((side, side), np.uint8)
    for _ in range(random.integers(*SHAPES, endpoint=True)):
        kind = int(random.integers(1, len(CLASSES)))
        cover = _cover(_corners(kind, random), side)
        image += cover[..., np.newaxis] * (_texture(random, side) - image)
        mask[cover >= 0.5] = kind
    image += random.normal(scale=NOISE, size=image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), mask


def _corners(kind: int, random: np.random.Generator) -> np.ndarray:
    """Returns the corners of a shape somewhere in the scene, turned somehow, f64 [n, 2], in image sides."""
    count = {'circle': 60, 'square': 4, 'triangle': 3, 'star': 10}[CLASSES[kind]]
    angles = np.arange(count) * (2 * np.pi / count) + random.uniform(0, 2 * np.pi)
    radii = np.full(count, random.uniform(*RADIUS))
    if CLASSES[kind] == 'star':
        radii[1::2] *= INNER
    return random.uniform(0.1, 0.9, 2) + radii[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], 1)


def _cover(corners: np.ndarray, side: int) -> np.ndarray:
    """Returns the share of each pixel that a shape covers, f64 [side, side]."""
    canvas = Image.new('L', (side * FINE, side * FINE))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners * (side * FINE)], fill=255)
    return np.asarray(canvas.reduce(FINE)) / 255


def _texture(random: np.random.Generator, side: int) -> np.ndarray:
    """Returns a colour with stripes of another, f64 [side, side, 3], in gray levels."""
    colour, stripes = random.uniform(30, 225, 3), random.uniform(-20, 20, 3)
    waves, angle, phase = random.uniform(2, 10), *random.uniform(0, 2 * np.pi, 2)
    y, x = np.mgrid[:side, :side] / side
    wave = np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    return colour + wave[..., np.newaxis] * stripes


def names(folder: Path) -> dict[str, list[str]]:
    """Returns the names of the scenes of each split."""
    return {split: (folder / f'{split}.txt').read_text().splitlines() for split in SPLITS}


def pixels(path: Path) -> np.ndarray:
    """Returns the image, uint8 [side, side, 3], or the mask, uint8 [side, side], in `path`."""
    with Image.open(path) as image:
        return np.asarray(image)


def digests(folder: Path) -> dict[str, str]:
    """Returns the sha256 of each list, and of the pixels of `images` and `masks`, in the order of the lists.

    Of pixels, not of files: how a PNG is packed may change with the library that writes it.
    """
    contents = {f'{split}.txt': (folder / f'{split}.txt').read_bytes() for split in SPLITS}
    listed = [name for split in names(folder).values() for name in split]
    for kind in ('images', 'masks'):
        contents[kind] = b''.join(pixels(folder / kind / f'{name}.png').tobytes() for name in listed)
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
