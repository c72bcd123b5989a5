"""Figures of dense values: predictions against targets, errors by target, and images with colour bars."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from engine.evaluation.results.metric import Metric
from engine.kinds.dense.pixels import PixelSums
from engine.kinds.dense.shades import ERRORS, VALUES, Scale
from engine.render.figures.fonts import plain
from engine.render.figures.style import WIDTH, entitle, hide_frame
from engine.render.palette import GREY, ORANGE, SKY
from engine.render.pictures import Picture

BODY = 5.6  # inches of the pictures in a row, beside the colour bars
Row = tuple[str, Sequence[tuple[str, Picture]]]  # a name, and titles with pictures


def predictions(pixels: PixelSums, table: pd.DataFrame, unit: str, title: str, headline: Metric) -> Figure:
    """Draws how many pixels have which target and prediction, and below it the error by target.

    Args:
      pixels: the sums.
      table: as `by_target` returns it.
      unit: that of the targets.
      title: what was evaluated.
      headline: the error of all.
    """
    figure = Figure(figsize=(WIDTH, 5.6), layout='constrained')
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1.5))
    edges = pixels.targets.edges
    counts = np.ma.masked_equal(pixels.joint.T, 0)
    mesh = above.pcolormesh(edges, edges, counts, cmap='Blues', norm=LogNorm(1, max(counts.max(), 2)))
    above.plot(edges[[0, -1]], edges[[0, -1]], color=GREY, linestyle='--', linewidth=1)
    above.set_ylabel(f'prediction in {unit}')
    figure.colorbar(mesh, ax=above, label='pixels', pad=0.02)
    middles = (table['low'] + table['high']) / 2
    below.plot(middles, table['mae'], color=SKY, linewidth=2, label='mean absolute error')
    below.plot(middles, table['bias'], color=ORANGE, linewidth=2, label='mean error')
    below.axhline(0, color=GREY, linestyle='--', linewidth=1)
    below.set(xlabel=f'target in {unit}', ylabel=f'error in {unit}')
    figure.legend(
        *below.get_legend_handles_labels(),
        loc='outside lower center',
        ncols=2,
        frameon=False,
        fontsize='small',
    )
    hide_frame(above, below)
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def images(
    rows: Sequence[Row], scale: Scale, coloured: bool, unit: str, title: str, headline: Metric
) -> Figure:
    """Draws images in rows, with a colour bar of the values and one of the errors.

    Args:
      rows: the images, at least one row. All rows have the same titles, the error last.
      scale: the meaning of the colours.
      coloured: whether values are shown by a colour map, not as red, green and blue.
      unit: that of the targets.
      title: what was evaluated.
      headline: the error of all.
    """
    columns = len(rows[0][1])
    width, height = rows[0][1][-1][1].extent
    size = (7.4, 1.0 + len(rows) * (min(height / width, 1.6) * BODY / columns + 0.08))
    figure = Figure(figsize=size, layout='constrained')
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for index, (name, shown) in enumerate(rows):
        for axes, (heading, picture) in zip(panels[index], shown, strict=True):
            _draw(axes, picture, heading if index == 0 else '')
        panels[index, 0].set_ylabel(name, fontsize='small')
    bars = [(VALUES, Normalize(scale.low, scale.high), f'value in {unit}')] * coloured
    for name, norm, label in [(ERRORS, Normalize(0, scale.error), f'error in {unit}'), *bars][::-1]:
        mapped = ScalarMappable(norm, name)
        figure.colorbar(mapped, ax=panels, label=label, extend='max', pad=0.015, aspect=30)
    entitle(figure, plain(title, 70), headline.with_title())
    return figure


def _draw(axes: Axes, picture: Picture, heading: str) -> None:
    axes.imshow(picture.image, cmap='gray', vmin=0, vmax=255, interpolation='nearest')
    axes.set(xticks=[], yticks=[])
    axes.set_title(heading, fontsize='small')
    for spine in axes.spines.values():
        spine.set_visible(False)
