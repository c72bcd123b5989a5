"""Forest plots: the numbers of several methods, with their intervals, below each other on one scale."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

from engine.render.figures.fonts import plain, plain_all
from engine.render.figures.style import WIDTH, entitle, hide_frame
from engine.render.palette import GREY, ORANGE, SKY


@dataclass(frozen=True)
class ForestRow:
    """One method in a forest plot.

    Attributes:
      name: name of the method.
      value: its number.
      low: lower end of its interval.
      high: upper end of its interval.
      shown: the number as text.
      dots: further numbers, such as those of single seeds or folds.
    """

    name: str
    value: float
    low: float
    high: float
    shown: str
    dots: Sequence[float] = ()


def is_drawn(rows: Sequence[ForestRow]) -> bool:
    """Whether any number is finite."""
    return any(math.isfinite(row.value) for row in rows)


def forest(
    title: str, subject: str, rows: Sequence[ForestRow], shown: Callable[[float], str], zero: bool = False
) -> Figure:
    """Draws a forest plot.

    Args:
      title: what the numbers are.
      subject: what was evaluated.
      rows: the methods, at least one with a finite number.
      shown: formats a number of the scale.
      zero: whether the scale marks 0.
    """
    figure = Figure(figsize=(WIDTH, 1.25 + 0.55 * len(rows)), layout='constrained')
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        axes.plot([row.low, row.high], [place, place], color=SKY, linewidth=5, solid_capstyle='butt')
        axes.plot(row.dots, [place] * len(row.dots), '|', color=ORANGE, markersize=9)
        axes.plot([row.value], [place], '|', color=rcParams['text.color'], markersize=15, markeredgewidth=2)
        axes.annotate(
            plain(row.shown, 40), (0.01, place - 0.32), xycoords=('axes fraction', 'data'), va='center'
        )
    if zero:
        axes.axvline(0, color=GREY, linestyle='--', linewidth=1)
    axes.set_yticks(range(len(rows)), plain_all([row.name for row in rows], 28))
    axes.set_ylim(len(rows) - 0.6, -0.6)
    axes.locator_params(axis='x', nbins=4)
    axes.xaxis.set_major_formatter(lambda number, _: shown(float(np.round(number, 12))))
    axes.tick_params(axis='y', length=0)
    hide_frame(axes)
    entitle(figure, plain(title, 60), plain(subject, 60))
    return figure
