"""The colours of classes, in label maps and in figures. Imports NumPy alone."""

import colorsys
from functools import cache

import numpy as np

# Eight colours that readers with any colour vision can tell apart. Black, the first, is for the background.
# Source: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/.
OKABE_ITO = ('#000000', '#E69F00', '#56B4E9', '#009E73', '#F0E442', '#0072B2', '#D55E00', '#CC79A7')
# The palette's colours for lines and bars, and a grey for guides.
SKY, ORANGE, GREEN, GREY = '#56B4E9', '#D55E00', '#009E73', '#666666'
# Saturation and value of the colours of 248 classes each: many classes differ in more than their hue.
SHADES = ((0.55, 0.85), (0.9, 0.6), (0.3, 0.95), (0.8, 0.95), (0.45, 0.55), (1.0, 0.8))
GOLDEN_RATIO = 0.6180339887498949  # hues this share of the circle apart stay far from all earlier ones


def colours(count: int) -> np.ndarray:
    """Returns the colours of the first `count` classes. A class has the same colour for every count.

    Returns:
      uint8 [count, 3]: red, green and blue.
    """
    return np.array(list(map(_colour, range(count))), np.uint8).reshape(count, 3)


def painted(labels: np.ndarray) -> np.ndarray:
    """Returns a label map, int [...], in the colours of its classes, uint8 [..., 3].

    >>> painted(np.array([[0, 3000]], np.uint16)).shape
    (1, 2, 3)
    """
    classes, places = np.unique(labels, return_inverse=True)
    own = np.array([_colour(int(index)) for index in classes], np.uint8).reshape(len(classes), 3)
    return own[places].reshape(*labels.shape, 3)


@cache
def _colour(index: int) -> tuple[int, ...]:
    """Returns the colour of a class: a named one, or a hue of its own, in another shade every 248 classes."""
    if index < len(OKABE_ITO):
        return tuple(bytes.fromhex(OKABE_ITO[index][1:]))
    index -= len(OKABE_ITO)
    shade = SHADES[index // (256 - len(OKABE_ITO)) % len(SHADES)]
    return tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(index * GOLDEN_RATIO % 1, *shade))
