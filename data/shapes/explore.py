"""Draws the contact sheet that README.md shows: `python -m data.shapes.explore`."""

from pathlib import Path

import numpy as np
from PIL import Image

from data.shapes import original
from engine.render import palette

HERE = Path(__file__).parent
COLUMNS, GAP, SCALE = 5, 4, 2  # pairs in a row; pixels between pairs; screen pixels per pixel


def contact_sheet(folder: Path) -> Image.Image:
    """Returns one picture of all scenes in `folder`, each beside its mask, in the order of the lists."""
    names = [name for split in original.names(folder).values() for name in split]
    pairs = [_pair(folder, name) for name in names]
    rows = [np.concatenate(pairs[first : first + COLUMNS], 1) for first in range(0, len(pairs), COLUMNS)]
    return Image.fromarray(np.concatenate(rows).repeat(SCALE, 0).repeat(SCALE, 1))


def _pair(folder: Path, name: str) -> np.ndarray:
    """Returns a scene beside its coloured mask, uint8 [side + GAP, 2 side + GAP, 3]."""
    image, mask = (original.pixels(folder / kind / f'{name}.png') for kind in ('images', 'masks'))
    coloured = palette.colours(len(original.CLASSES))[mask]
    return np.pad(np.concatenate([image, coloured], 1), ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


if __name__ == '__main__':
    sheet = HERE / 'contact_sheet.png'
    contact_sheet(HERE / 'toy').save(sheet)
    print(sheet)
