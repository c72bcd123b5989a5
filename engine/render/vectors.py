"""Figures for a page: drawn in lines that take the page's own colours, by day and by night."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from engine.render import markup

INK = '#010203'  # black to the eye, and a word that no figure uses otherwise: the page puts its own ink there
_INKED = ('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color', 'ytick.color')
STYLE: dict[Any, Any] = {
    **dict.fromkeys(_INKED, INK),
    'svg.fonttype': 'none',  # letters stay letters, which the page's font draws and a reader may copy
}


def drawn(draw: Callable[[], Figure]) -> Figure:
    """Returns a figure drawn so that `svg` can give it the page's colours; as a PNG it looks as ever."""
    with matplotlib.rc_context(STYLE):
        return draw()


def svg(figure: Figure, name: str) -> str:
    """Returns a figure as markup.

    Args:
      figure: as `drawn` returns it.
      name: of the figure, other than that of every other one on the page.
    """
    file = io.StringIO()
    nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
    with matplotlib.rc_context(STYLE):
        matplotlib.rcParams['svg.hashsalt'] = name  # or names of parts would differ from time to time
        figure.savefig(file, format='svg', transparent=True, metadata=nothing)
    found = re.search(r'<svg.*</svg>', file.getvalue(), re.DOTALL)
    text = found[0] if found else ''
    width = re.search(r'width="([\d.]+)pt"', text)
    text = re.sub(r' (width|height)="[\d.]+pt"', '', text, count=2).replace(INK, 'currentColor')
    # Styles and names of groups would hold for all of the page.
    text = re.sub(r'<(metadata|style)\b.*?</\1>|(?<=<g) id="[^"]*"', '', text, flags=re.DOTALL)
    title = markup.escaped(name.replace('_', ' '))
    most = f'{float(width[1]) * 4 / 3:.0f}px' if width else 'none'
    return f'<div class="plot" role="img" aria-label="{title}" style="max-width:{most}">{text}</div>'
