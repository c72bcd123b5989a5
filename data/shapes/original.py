"""Renders the scenes as original files: images, masks, a table of objects, a list for each split.

    python -m data.shapes.original FOLDER --train=10000 --side=256 --format=jpeg --seed=7

A scene depends only on seed, number and size. Lengths are fractions of the side of the image, so the same
scene in another size shows the same objects.
"""

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ('background', 'circle', 'square', 'triangle', 'star')
SPLITS = {'train': 1500, 'val': 150, 'test': 150}  # scenes, numbered in this order
SIDE = 64  # height and width of a scene in pixels
SEED = 2026
MIN_OBJECTS, MAX_OBJECTS = 2, 5  # objects rendered in a scene
RADIUS_RANGE = (0.13, 0.25)  # fractions of the side
INNER_RADIUS = 0.45  # radius of the inner corners of a star, as a fraction of its outer radius
MAX_TILT = 0.3  # radians
NOISE_STD = 6  # gray levels
SUPERSAMPLING = 4  # objects are rendered this many times larger, then reduced: their edges are blended
JPEG_QUALITY = 90
SUFFIXES = {'png': '.png', 'jpeg': '.jpg'}
OBJECT_COLUMNS = ('name', 'object', 'class', 'x0', 'y0', 'x1', 'y1')


@dataclass(frozen=True)
class Scene:
    """A scene with its n visible objects. They are numbered from 1 in the order of drawing.

    Attributes:
      image: red, green, blue, uint8 [side, side, 3].
      mask: class of each pixel, uint8 [side, side].
      instances: object of each pixel, uint8 [side, side]; 0 for none.
      classes: class of each object, int32 [n].
      boxes: around the visible part of each object, f32 [n, 4]: x0, y0, x1, y1 in pixels, excluding the ends.
    """

    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray


def scene(number: int, side: int = SIDE, seed: int = SEED) -> Scene:
    """Returns scene `number` with `side` x `side` pixels."""
    random = np.random.default_rng((seed, number))
    image, instances = _texture(random, side), np.zeros((side, side), np.uint8)
    kinds = random.integers(1, len(CLASSES), random.integers(MIN_OBJECTS, MAX_OBJECTS, endpoint=True))
    for index, kind in enumerate(kinds, 1):
        coverage = _coverage(_corners(int(kind), random), side)
        image += coverage[..., np.newaxis] * (_texture(random, side) - image)
        instances[coverage >= 0.5] = index
    image += random.normal(scale=NOISE_STD, size=image.shape)
    visible, renumbered = np.unique(np.append(instances, 0), return_inverse=True)
    instances = renumbered[:-1].reshape(side, side).astype(np.uint8)
    classes = kinds[visible[1:].astype(int) - 1].astype(np.int32)
    mask = np.append(0, classes)[instances].astype(np.uint8)
    boxes = [_box(instances == index) for index in range(1, len(visible))]
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return Scene(pixels, mask, instances, classes, np.array(boxes, np.float32).reshape(-1, 4))


def _box(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """Returns x0, y0, x1, y1 around the pixels of an object, bool [side, side]."""
    rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _corners(kind: int, random: np.random.Generator) -> np.ndarray:
    """Returns the corners of an object of a class, f64 [corners, 2]: x, y as fractions of the side.

    Position, radius and tilt are random.
    """
    count = {'circle': 60, 'square': 4, 'triangle': 3, 'star': 10}[CLASSES[kind]]
    first = np.pi / 4 if CLASSES[kind] == 'square' else -np.pi / 2  # upright, because y grows downwards
    angles = np.arange(count) * (2 * np.pi / count) + first + random.uniform(-MAX_TILT, MAX_TILT)
    radii = np.full(count, random.uniform(*RADIUS_RANGE))
    if CLASSES[kind] == 'star':
        radii[1::2] *= INNER_RADIUS
    return random.uniform(0.1, 0.9, 2) + radii[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], 1)


def _coverage(corners: np.ndarray, side: int) -> np.ndarray:
    """Returns the fraction of each pixel that an object covers, f64 [side, side].

    Args:
      corners: f64 [corners, 2].
      side: height and width of the scene in pixels.
    """
    canvas = Image.new('L', (side * SUPERSAMPLING, side * SUPERSAMPLING))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in corners * (side * SUPERSAMPLING)], fill=255)
    return np.asarray(canvas.reduce(SUPERSAMPLING)) / 255


def _texture(random: np.random.Generator, side: int) -> np.ndarray:
    """Returns a random colour with stripes of another colour, f64 [side, side, 3], in gray levels."""
    colour, stripes = random.uniform(30, 225, 3), random.uniform(-20, 20, 3)
    waves, angle, phase = random.uniform(2, 10), *random.uniform(0, 2 * np.pi, 2)
    y, x = np.mgrid[:side, :side] / side
    wave = np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    return colour + wave[..., np.newaxis] * stripes


def write(
    folder: Path,
    splits: Mapping[str, int] = SPLITS,
    side: int = SIDE,
    encoding: str = 'png',
    seed: int = SEED,
) -> None:
    """Writes `images/`, `masks/`, `instances/`, `objects.csv` and `<split>.txt` into `folder`.

    Args:
      folder: must not hold these folders yet.
      splits: number of scenes of each split.
      side: height and width of a scene in pixels.
      encoding: format of the images, `png` or `jpeg`; masks are PNG.
      seed: seed of all scenes.
    """
    for kind in ('images', 'masks', 'instances'):
        (folder / kind).mkdir(parents=True)
    with (folder / 'objects.csv').open('w', newline='', encoding='utf-8') as file:
        table = csv.writer(file, lineterminator='\n')
        table.writerow(OBJECT_COLUMNS)
        numbers = iter(range(sum(splits.values())))
        for split, count in splits.items():
            scene_names = [f'{next(numbers):04d}' for _ in range(count)]
            text = ''.join(f'{name}\n' for name in scene_names)
            (folder / f'{split}.txt').write_text(text, encoding='utf-8')
            for name in scene_names:
                rendered = scene(int(name), side, seed)
                _save(rendered, folder, name, encoding)
                table.writerows(_rows(name, rendered))


def _save(rendered: Scene, folder: Path, name: str, encoding: str) -> None:
    path = folder / 'images' / f'{name}{SUFFIXES[encoding]}'
    Image.fromarray(rendered.image).save(path, quality=JPEG_QUALITY)  # PNG ignores it
    Image.fromarray(rendered.mask).save(folder / 'masks' / f'{name}.png')
    Image.fromarray(rendered.instances).save(folder / 'instances' / f'{name}.png')


def _rows(name: str, rendered: Scene) -> Iterator[list[str | int]]:
    """Yields the `OBJECT_COLUMNS` of each object."""
    for index, (kind, box) in enumerate(zip(rendered.classes, rendered.boxes, strict=True), 1):
        yield [name, index, CLASSES[kind], *map(int, box)]


def names(folder: Path) -> dict[str, list[str]]:
    """Returns the names of the scenes of each split."""
    return {split: (folder / f'{split}.txt').read_text(encoding='utf-8').splitlines() for split in SPLITS}


def objects(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns `{scene: (classes, boxes)}`: int32 [n] and f32 [n, 4] of its n objects."""
    rows: dict[str, list[Sequence[float]]] = {}
    with (folder / 'objects.csv').open(newline='', encoding='utf-8') as file:
        for row in csv.DictReader(file):
            box = [float(row[side]) for side in OBJECT_COLUMNS[3:]]
            rows.setdefault(row['name'], []).append([CLASSES.index(row['class']), *box])
    tables = {name: np.array(table, np.float32) for name, table in rows.items()}
    return {name: (table[:, 0].astype(np.int32), table[:, 1:]) for name, table in tables.items()}


def image_path(folder: Path, name: str) -> Path:
    """Returns the file of a scene's image, PNG or JPEG."""
    png = folder / 'images' / f'{name}.png'
    return png if png.exists() else png.with_suffix('.jpg')


def pixels(path: Path) -> np.ndarray:
    """Returns an image, uint8 [side, side, 3], or a mask, uint8 [side, side]."""
    with Image.open(path) as image:
        return np.asarray(image)


def main() -> None:
    """Writes the scenes that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='a new folder')
    for split, count in SPLITS.items():
        parser.add_argument(f'--{split}', type=int, default=count, metavar='N', help='number of scenes')
    parser.add_argument('--side', type=int, default=SIDE, help='height and width in pixels')
    parser.add_argument('--format', choices=SUFFIXES, default='png')
    parser.add_argument('--seed', type=int, default=SEED)
    arguments = parser.parse_args()
    counts = {split: getattr(arguments, split) for split in SPLITS}
    write(arguments.folder, counts, arguments.side, arguments.format, arguments.seed)


if __name__ == '__main__':
    main()
