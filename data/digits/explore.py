"""Draws the contact sheet that README.md shows: `python -m data.digits.explore`."""

from pathlib import Path

import numpy as np
from PIL import Image

from data.digits import original

HERE = Path(__file__).parent
SCALE, GAP = 5, 1  # screen pixels per pixel; pixels around each image


def contact_sheet(folder: Path) -> Image.Image:
    """Returns one picture of all images in `folder`: a column for each class, in the order of `labels.csv`.

    Args:
      folder: holds `images/` and `labels.csv`, with the same number of images in each class.
    """
    labels = original.labels(folder)
    columns = [
        np.concatenate([_tile(folder / 'images' / file) for file in labels if labels[file] == label])
        for label in sorted(set(labels.values()))
    ]
    return Image.fromarray(np.concatenate(columns, axis=1).repeat(SCALE, 0).repeat(SCALE, 1))


def _tile(path: Path) -> np.ndarray:
    """Returns the image in `path` with a white border, uint8 [8 + 2 GAP, 8 + 2 GAP]."""
    return np.pad(original.pixels(path), GAP, constant_values=255)


if __name__ == '__main__':
    sheet = HERE / 'contact_sheet.png'
    contact_sheet(HERE / 'toy').save(sheet)
    print(sheet)
