"""Colours of classes, in maps and figures alike. Imports NumPy alone."""

import colorsys

import numpy as np

# Told apart with any colour vision: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/.
# Black, the first, is for the background.
OKABE_ITO = ('#000000', '#E69F00', '#56B4E9', '#009E73', '#F0E442', '#0072B2', '#D55E00', '#CC79A7')
GOLDEN = 0.6180339887498949  # a turn by this share of the circle of hues lands far from all turns before


def colours(count: int) -> np.ndarray:
    """Returns a colour for each class, uint8 [count, 3], red, green and blue: the same for every count."""
    named = [tuple(bytes.fromhex(colour[1:])) for colour in OKABE_ITO]
    more = [_on_the_circle(index * GOLDEN % 1) for index in range(count - len(named))]
    return np.array((named + more)[:count], np.uint8)


def _on_the_circle(hue: float) -> tuple[int, ...]:
    return tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, 0.55, 0.85))
