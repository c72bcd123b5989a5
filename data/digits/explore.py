"""Draws the contact sheet that README.md shows: `python -m data.digits.explore`."""

from pathlib import Path

import numpy as np
from PIL import Image

from data.digits import original

HERE = Path(__file__).parent
SCALE, GAP = 5, 1  # screen pixels per pixel, pixels between images


def contact_sheet(folder: Path) -> Image.Image:
    """Returns all images of `folder` in one: a column for each class, 0 to 9, in the order of `labels.csv`.

    Args:
      folder: with `images/` and `labels.csv`, as many images of each class.
    """
    labels = original.labels(folder)
    columns = [
        np.concatenate([_tile(folder / 'images' / file) for file in labels if labels[file] == label])
        for label in sorted(set(labels.values()))
    ]
    return Image.fromarray(np.concatenate(columns, axis=1).repeat(SCALE, 0).repeat(SCALE, 1))


def _tile(path: Path) -> np.ndarray:
    return np.pad(original.pixels(path), GAP, constant_values=255)


if __name__ == '__main__':
    sheet = HERE / 'contact_sheet.png'
    contact_sheet(HERE / 'toy').save(sheet)
    print(sheet)
