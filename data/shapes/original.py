"""Renders the scenes as an original would come: images, masks, a table of objects, a list for each split.

    python -m data.shapes.original FOLDER --train=10000 --side=256 --format=jpeg --seed=7

A scene is a function of seed, number and size alone. Lengths are given in image sides, so that a scene of any
size shows shapes of the same proportions.
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
SIDE, SEED = 64, 2026  # pixels; of all scenes
MOST = 5  # objects in a scene; at least 2
RADIUS = (0.13, 0.25)  # image sides
INNER = 0.45  # radius of a star's inner corners, of that of its tips
TILT = 0.3  # radians that an object is turned by at most, from upright
NOISE = 6  # gray levels
FINE = 4  # an object is drawn so many times larger, and a pixel that it covers in part is blended
QUALITY = 90  # of JPEG
ENDINGS = {'png': '.png', 'jpeg': '.jpg'}
TABLE = ('name', 'object', 'class', 'x0', 'y0', 'x1', 'y1')


@dataclass(frozen=True)
class Scene:
    """A scene. Its objects are those of which something is seen, numbered from 1 in the order of drawing.

    Attributes:
      image: uint8 [side, side, 3].
      mask: class of each pixel, uint8 [side, side].
      instances: object of each pixel, 0 for none, uint8 [side, side].
      classes: of each object, int32 [n].
      boxes: around what is seen of each object, f32 [n, 4]: x0, y0, x1, y1 in pixels, the ends excluded.
    """

    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray


def scene(number: int, side: int = SIDE, seed: int = SEED) -> Scene:
    """Returns a scene, side x side pixels."""
    random = np.random.default_rng((seed, number))
    image, instances = _texture(random, side), np.zeros((side, side), np.uint8)
    kinds = random.integers(1, len(CLASSES), random.integers(2, MOST, endpoint=True))
    for index, kind in enumerate(kinds, 1):
        cover = _cover(_corners(int(kind), random), side)
        image += cover[..., np.newaxis] * (_texture(random, side) - image)
        instances[cover >= 0.5] = index
    image += random.normal(scale=NOISE, size=image.shape)
    seen, renumbered = np.unique(np.append(instances, 0), return_inverse=True)
    instances = renumbered[:-1].reshape(side, side).astype(np.uint8)
    classes = kinds[seen[1:].astype(int) - 1].astype(np.int32)
    mask = np.append(0, classes)[instances].astype(np.uint8)
    boxes = [_box(instances == index) for index in range(1, len(seen))]
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return Scene(pixels, mask, instances, classes, np.array(boxes, np.float32).reshape(-1, 4))


def _box(where: np.ndarray) -> tuple[int, int, int, int]:
    """Returns x0, y0, x1, y1 around the pixels of bool [side, side]."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def _corners(kind: int, random: np.random.Generator) -> np.ndarray:
    """Returns the corners of an object somewhere, a little tilted, f64 [n, 2], in image sides."""
    count = {'circle': 60, 'square': 4, 'triangle': 3, 'star': 10}[CLASSES[kind]]
    first = np.pi / 4 if CLASSES[kind] == 'square' else -np.pi / 2  # upright: y grows downwards
    angles = np.arange(count) * (2 * np.pi / count) + first + random.uniform(-TILT, TILT)
    radii = np.full(count, random.uniform(*RADIUS))
    if CLASSES[kind] == 'star':
        radii[1::2] *= INNER
    return random.uniform(0.1, 0.9, 2) + radii[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], 1)


def _cover(corners: np.ndarray, side: int) -> np.ndarray:
    """Returns the share of each pixel that an object covers, f64 [side, side]."""
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


def write(
    folder: Path,
    splits: Mapping[str, int] = SPLITS,
    side: int = SIDE,
    encoding: str = 'png',
    seed: int = SEED,
) -> None:
    """Writes `images/`, `masks/`, `instances/`, `objects.csv` and `<split>.txt` into `folder`.

    Args:
      folder: where to.
      splits: number of scenes of each split.
      side: height and width of a scene in pixels.
      encoding: of the images, `png` or `jpeg`; masks are PNG.
      seed: of all scenes.
    """
    for kind in ('images', 'masks', 'instances'):
        (folder / kind).mkdir(parents=True)
    with (folder / 'objects.csv').open('w', newline='', encoding='utf-8') as file:
        table = csv.writer(file, lineterminator='\n')
        table.writerow(TABLE)
        numbers = iter(range(sum(splits.values())))
        for split, count in splits.items():
            listed = [f'{next(numbers):04d}' for _ in range(count)]
            (folder / f'{split}.txt').write_text(''.join(f'{name}\n' for name in listed), encoding='utf-8')
            for name in listed:
                drawn = scene(int(name), side, seed)
                _save(drawn, folder, name, encoding)
                table.writerows(_rows(name, drawn))


def _save(drawn: Scene, folder: Path, name: str, encoding: str) -> None:
    path = folder / 'images' / f'{name}{ENDINGS[encoding]}'
    Image.fromarray(drawn.image).save(path, quality=QUALITY)  # PNG knows no quality
    Image.fromarray(drawn.mask).save(folder / 'masks' / f'{name}.png')
    Image.fromarray(drawn.instances).save(folder / 'instances' / f'{name}.png')


def _rows(name: str, drawn: Scene) -> Iterator[list[str | int]]:
    for index, (kind, box) in enumerate(zip(drawn.classes, drawn.boxes, strict=True), 1):
        yield [name, index, CLASSES[kind], *(int(each) for each in box)]


def names(folder: Path) -> dict[str, list[str]]:
    """Returns the names of the scenes of each split."""
    return {split: (folder / f'{split}.txt').read_text(encoding='utf-8').splitlines() for split in SPLITS}


def objects(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns classes, int32 [n], and boxes, f32 [n, 4], of the objects of each scene."""
    rows: dict[str, list[Sequence[float]]] = {}
    with (folder / 'objects.csv').open(newline='', encoding='utf-8') as file:
        for row in csv.DictReader(file):
            box = [float(row[side]) for side in TABLE[3:]]
            rows.setdefault(row['name'], []).append([CLASSES.index(row['class']), *box])
    arrays = {name: np.array(each, np.float32) for name, each in rows.items()}
    return {name: (each[:, 0].astype(np.int32), each[:, 1:]) for name, each in arrays.items()}


def image_path(folder: Path, name: str) -> Path:
    """Returns the image of a scene, PNG or JPEG."""
    png = folder / 'images' / f'{name}.png'
    return png if png.exists() else png.with_suffix('.jpg')


def pixels(path: Path) -> np.ndarray:
    """Returns an image, uint8 [side, side, 3], or a mask, uint8 [side, side]."""
    with Image.open(path) as image:
        return np.asarray(image)


def main() -> None:
    """Writes as many scenes as asked for, of any size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folder', type=Path, help='a new folder')
    for split, count in SPLITS.items():
        parser.add_argument(f'--{split}', type=int, default=count, metavar='N', help='scenes')
    parser.add_argument('--side', type=int, default=SIDE, help='pixels')
    parser.add_argument('--format', choices=ENDINGS, default='png')
    parser.add_argument('--seed', type=int, default=SEED)
    given = parser.parse_args()
    counts = {split: getattr(given, split) for split in SPLITS}
    write(given.folder, counts, given.side, given.format, given.seed)


if __name__ == '__main__':
    main()
