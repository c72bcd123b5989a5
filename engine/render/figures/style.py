"""The style that all Matplotlib figures share: titles, axes, bins."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

PERCENT = PercentFormatter(1, symbol=' %')
HISTOGRAM_BINS = 40
WIDTH = 5.0  # inches: two figures fit beside each other on a page, and one on a phone is still readable


def entitle(figure: Figure, title: str, subtitle: str = '') -> None:
    """Writes a title, and a subtitle below it, at the top left of a figure."""
    figure.suptitle('\n'.join(filter(None, (title, subtitle))), x=0.02, ha='left', fontsize='medium')


def hide_frame(*axes: Axes) -> None:
    """Hides the top and the right edge of axes."""
    for panel in axes:
        panel.spines[['top', 'right']].set_visible(False)


def histogram_edges(values: np.ndarray) -> list[float]:
    """Returns the edges of the bins of a histogram. They differ even if all values are equal."""
    low, high = values.min(), values.max()
    width = max(high - low, 1e-6 * max(abs(low), abs(high))) or 1.0
    offsets = np.linspace(-0.5, 0.5, HISTOGRAM_BINS + 1) * (1 + 1e-9)
    return (low / 2 + high / 2 + width * offsets).tolist()
