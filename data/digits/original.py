"""Writes scikit-learn's handwritten digits as original files: PNG images and a table of labels.

A pixel of scikit-learn's images counts the inked dots of a 4x4 block: 0 to 16. The PNG files hold 15 times
the count, 0 to 240, so that people can see the digit. `pixel // 15` restores the count.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from engine import lists

BRIGHTNESS = 15  # gray levels per inked dot


def write(folder: Path) -> None:
    """Writes `images/0000.png` to `images/1796.png` (8x8, 8-bit gray) and `labels.csv` into `folder`."""
    # Imported here because scikit-learn takes a second to import, and only the first build needs it.
    from sklearn.datasets import load_digits

    counts, labels = load_digits(return_X_y=True)
    pixels = (counts.reshape(-1, 8, 8) * BRIGHTNESS).astype(np.uint8)
    names = [f'{index:04d}.png' for index in range(len(pixels))]
    (folder / 'images').mkdir(parents=True)
    for name, image in zip(names, pixels, strict=True):
        # Without compression, every version of zlib writes the same bytes. For 64 pixels they are also fewer.
        Image.fromarray(image).save(folder / 'images' / name, compress_level=0)
    with (folder / 'labels.csv').open('w', newline='') as file:
        csv.writer(file, lineterminator='\n').writerows([('file', 'label'), *zip(names, labels, strict=True)])


def labels(folder: Path) -> dict[str, str]:
    """Returns `{file name: label}` in the order of `labels.csv`."""
    return {row['file']: row['label'] for row in lists.read(folder / 'labels.csv', 'file', 'label').rows}


def pixels(path: Path) -> np.ndarray:
    """Returns the image in a PNG file, uint8 [8, 8]."""
    with Image.open(path) as image:
        return np.asarray(image)
