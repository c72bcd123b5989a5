"""The style that all Matplotlib figures share: titles, axes, names that fit."""

import functools

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

PERCENT = PercentFormatter(1, symbol=' %')
HISTOGRAM_BINS = 40


def entitle(figure: Figure, title: str, subtitle: str = '') -> None:
    """Writes a title, and a subtitle below it, at the top left of a figure."""
    figure.suptitle('\n'.join(filter(None, (title, subtitle))), x=0.02, ha='left')


def hide_frame(*axes: Axes) -> None:
    """Hides the top and the right edge of axes."""
    for panel in axes:
        panel.spines[['top', 'right']].set_visible(False)


def plain(name: object, length: int = 20) -> str:
    """Returns a name that fits an axis.

    The name is cut to `length` characters. A dollar sign starts no formula, and a square replaces each
    character that the font lacks.
    """
    supported = _supported_characters()
    text = ''.join(character if ord(character) in supported else '□' for character in str(name))
    text = text.replace('$', r'\$')
    return text if len(text) <= length else text[: length - 1] + '…'


def histogram_edges(values: np.ndarray) -> list[float]:
    """Returns the edges of the bins of a histogram. They differ even if all values are equal."""
    low, high = values.min(), values.max()
    width = max(high - low, 1e-6 * max(abs(low), abs(high))) or 1.0
    offsets = np.linspace(-0.5, 0.5, HISTOGRAM_BINS + 1) * (1 + 1e-9)
    return (low / 2 + high / 2 + width * offsets).tolist()


@functools.cache
def _supported_characters() -> frozenset[int]:
    """Returns the code points of the characters in the figures' font."""
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return frozenset(font.get_charmap())
