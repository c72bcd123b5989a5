"""Predicted images and masks as PNG files, for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from engine.outputs.pictures.png import encode, file_name

FOLDER = 'images'


def pictures(predicted: Mapping[str, Any], ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yields the path and content of a PNG file for each example of each array of images.

    Args:
      predicted: arrays [n, ...]. Masks, uint8 [n, H, W] with the class of each pixel, become indexed PNGs
        whose indices are the classes; masks of uint16 become grey ones of 16 bits. Images, uint8 [n, H, W, 1
        or 3], become grey or coloured ones. If there are several such arrays, each has a folder of its own.
        Pictures of varying size are files already.
      ids: one per example, for the names of the files.
    """
    if not isinstance(predicted.get(FOLDER, np.empty(0)), np.ndarray):
        return  # the folder holds an array: pictures of varying size
    drawn = {
        name: array for name, array in predicted.items() if isinstance(array, np.ndarray) and _can_draw(array)
    }
    for name, array in drawn.items():
        folder = FOLDER if len(drawn) == 1 else f'{FOLDER}/{name}'
        for example_id, pixels in zip(ids, array, strict=True):
            yield f'{folder}/{file_name(example_id)}.png', encode(pixels)


def _can_draw(array: np.ndarray) -> bool:
    is_image = array.ndim == 3 or (array.ndim == 4 and array.shape[-1] in (1, 3))
    is_mask = array.dtype == np.uint16 and array.ndim == 3
    return (is_mask or (array.dtype == np.uint8 and is_image)) and array.size > 0
