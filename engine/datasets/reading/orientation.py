"""EXIF orientations: how a stored image must be turned to be seen upright.

Source: Exif 2.32, tag 0x0112. An image of the orientations 5 to 8 is stored on its side.
"""

from typing import NamedTuple

import numpy as np

_ROWS_REVERSED, _COLUMNS_REVERSED, _ON_ITS_SIDE = {3, 4, 6, 7}, {2, 3, 7, 8}, {5, 6, 7, 8}


class Box(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """Returns pixels [H, W, C], or [W, H, C] if they are stored on their side, as they are seen.

    >>> upright(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    rows = slice(None, None, -1 if orientation in _ROWS_REVERSED else 1)
    columns = slice(None, None, -1 if orientation in _COLUMNS_REVERSED else 1)
    turned = stored[rows, columns]
    return turned.swapaxes(0, 1) if orientation in _ON_ITS_SIDE else turned


def upright_size(height: int, width: int, orientation: int) -> tuple[int, int]:
    """Returns (H, W) of the upright image."""
    return (width, height) if orientation in _ON_ITS_SIDE else (height, width)


def stored_box(box: Box, height: int, width: int, orientation: int) -> Box:
    """Returns where a part of the upright image is stored, in an image stored with this height and width."""
    top, left, rows, columns = box
    if orientation in _ON_ITS_SIDE:
        top, left, rows, columns = left, top, columns, rows
    if orientation in _ROWS_REVERSED:
        top = height - top - rows
    if orientation in _COLUMNS_REVERSED:
        left = width - left - columns
    return Box(top, left, rows, columns)


def upright_box(fractions: np.ndarray, orientation: int) -> np.ndarray:
    """Returns parts of the stored image, x0, y0, x1, y1 as fractions [m, 4], as parts of the upright one.

    >>> upright_box(np.array([[0, 0, 0.25, 1]]), 6).tolist()
    [[0.0, 0.0, 1.0, 0.25]]
    """
    x, y = fractions[:, ::2], fractions[:, 1::2]
    x = 1 - x[:, ::-1] if orientation in _COLUMNS_REVERSED else x
    y = 1 - y[:, ::-1] if orientation in _ROWS_REVERSED else y
    first, second = (y, x) if orientation in _ON_ITS_SIDE else (x, y)
    return np.stack([first, second], 2).reshape(-1, 4)
