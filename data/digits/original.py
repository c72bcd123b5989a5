"""Writes scikit-learn's handwritten digits as the original would come: PNG files and a label file.

A pixel of the original counts the inked dots of a 4x4 block: 0 to 16. The file holds 15 times that, 0 to 240,
so that it can be looked at; `pixel // 15` gives the count back.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

BRIGHTNESS = 15  # gray levels per inked dot


def write(folder: Path) -> None:
    """Writes `images/0000.png` to `images/1796.png` (8x8, 8-bit gray) and `labels.csv` into `folder`."""
    # Training on records that are there already needs no scikit-learn, which takes a second to import.
    from sklearn.datasets import load_digits

    counts, labels = load_digits(return_X_y=True)
    pixels = (counts.reshape(-1, 8, 8) * BRIGHTNESS).astype(np.uint8)
    names = [f'{index:04d}.png' for index in range(len(pixels))]
    (folder / 'images').mkdir(parents=True)
    for name, image in zip(names, pixels, strict=True):
        # Stored, not compressed: the same bytes with every version of zlib, and smaller for 64 pixels.
        Image.fromarray(image).save(folder / 'images' / name, compress_level=0)
    with (folder / 'labels.csv').open('w', newline='') as file:
        csv.writer(file, lineterminator='\n').writerows([('file', 'label'), *zip(names, labels, strict=True)])


def labels(folder: Path) -> dict[str, str]:
    """Returns `{file name: label}` in the order of `labels.csv`."""
    with (folder / 'labels.csv').open(newline='') as file:
        return {row['file']: row['label'] for row in csv.DictReader(file)}


def pixels(path: Path) -> np.ndarray:
    """Returns the image in `path`, uint8 [8, 8]."""
    with Image.open(path) as image:
        return np.asarray(image)
