"""Matplotlib figures as SVG for a page. They take the page's colours, light or dark."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from engine.render import markup

INK = '#010203'  # looks black and occurs in no figure; the page replaces it by its text colour
_INKED = ('text.color', 'axes.labelcolor', 'axes.edgecolor', 'xtick.color', 'ytick.color')
STYLE: dict[Any, Any] = {
    **dict.fromkeys(_INKED, INK),
    'svg.fonttype': 'none',  # text stays text: the page's font draws it and readers can copy it
}


def drawn(draw: Callable[[], Figure]) -> Figure:
    """Draws a figure so that `svg` can give it the page's colours. As PNG it looks as usual."""
    with matplotlib.rc_context(STYLE):
        return draw()


def svg(figure: Figure, name: str) -> str:
    """Returns a figure as SVG.

    Args:
      figure: the figure, from `drawn`.
      name: name of the figure, unique on the page.
    """
    file = io.StringIO()
    nothing = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
    with matplotlib.rc_context(STYLE):
        matplotlib.rcParams['svg.hashsalt'] = name  # keeps the names of parts reproducible
        figure.savefig(file, format='svg', transparent=True, metadata=nothing)
    match = re.search(r'<svg.*</svg>', file.getvalue(), re.DOTALL)
    text = match[0] if match else ''
    width = re.search(r'width="([\d.]+)pt"', text)
    text = re.sub(r' (width|height)="[\d.]+pt"', '', text, count=2).replace(INK, 'currentColor')
    # Styles and names of groups would apply to the whole page.
    text = re.sub(r'<(metadata|style)\b.*?</\1>|(?<=<g) id="[^"]*"', '', text, flags=re.DOTALL)
    title = markup.escaped(name.replace('_', ' '))
    max_width = f'{float(width[1]) * 4 / 3:.0f}px' if width else 'none'
    return f'<div class="plot" role="img" aria-label="{title}" style="max-width:{max_width}">{text}</div>'
