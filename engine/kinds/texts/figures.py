"""The figure of texts: how far predictions are from their references."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from engine.evaluation.results.metric import Metric
from engine.render.figures.fonts import plain
from engine.render.figures.style import PERCENT, WIDTH, entitle, hide_frame
from engine.render.palette import ORANGE, SKY

BINS = 20


def distances(table: pd.DataFrame, title: str, headline: Metric) -> Figure:
    """Draws how many texts have which normalised edit distance.

    Args:
      table: a row per text with `normalised_edit_distance`.
      title: what was evaluated.
      headline: the mean.
    """
    figure = Figure(figsize=(WIDTH, 3.4), layout='constrained')
    axes = figure.add_subplot()
    axes.hist(
        table['normalised_edit_distance'].dropna(), bins=np.linspace(0, 1, BINS + 1).tolist(), color=SKY
    )
    axes.axvline(headline.value, color=ORANGE, label='mean')
    axes.set(xlim=(0, 1), xlabel='normalised edit distance', ylabel='texts')
    axes.xaxis.set_major_formatter(PERCENT)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, loc='upper right')
    hide_frame(axes)
    entitle(figure, plain(title, 60), headline.with_title())
    return figure
