"""The colours of classes, in label maps and in figures. Imports NumPy alone."""

import colorsys

import numpy as np

# Eight colours that readers with any colour vision can tell apart. Black, the first, is for the background.
# Source: Okabe and Ito 2008, https://jfly.uni-koeln.de/color/.
OKABE_ITO = ('#000000', '#E69F00', '#56B4E9', '#009E73', '#F0E442', '#0072B2', '#D55E00', '#CC79A7')
# The palette's colours for lines and bars, and a grey for guides.
SKY, ORANGE, GREEN, GREY = '#56B4E9', '#D55E00', '#009E73', '#666666'
GOLDEN_RATIO = 0.6180339887498949  # hues this share of the circle apart stay far from all earlier ones


def colours(count: int) -> np.ndarray:
    """Returns the colours of the first `count` classes. A class has the same colour for every count.

    Returns:
      uint8 [count, 3]: red, green and blue.
    """
    named = [tuple(bytes.fromhex(colour[1:])) for colour in OKABE_ITO]
    more = [_with_hue(index * GOLDEN_RATIO % 1) for index in range(count - len(named))]
    return np.array((named + more)[:count], np.uint8)


def _with_hue(hue: float) -> tuple[int, ...]:
    return tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(hue, 0.55, 0.85))
