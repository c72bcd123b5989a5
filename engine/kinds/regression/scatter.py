"""How predicted numbers lie beside the true ones."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.evaluation.results.metric import Metric
from engine.render.figures.fonts import plain
from engine.render.figures.style import WIDTH, entitle, hide_frame, histogram_edges
from engine.render.palette import GREY, ORANGE, SKY

TARGETS = 6  # so many targets are drawn, the first ones
POINTS = 5000  # of each, evenly spaced


def predictions(values: np.ndarray, targets: np.ndarray, title: str, headline: Metric) -> Figure:
    """Draws prediction against target, and below how the errors are spread, for each target.

    Args:
      values: predictions, f64 [n, d].
      targets: f64 [n, d].
      title: what was evaluated.
      headline: the error of all.
    """
    columns = min(targets.shape[1], TARGETS)
    figure = Figure(figsize=(max(WIDTH, 0.6 + 2.5 * columns), 5.6), layout='constrained')
    rows = figure.subplots(2, columns, squeeze=False, height_ratios=(3, 1.4))
    for target, (above, below) in enumerate(rows.T):
        _points(above, values[:, target], targets[:, target])
        _errors(below, values[:, target] - targets[:, target])
        if targets.shape[1] > 1:
            above.set_title(f'target {target}', loc='left', fontsize='medium')
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def _points(axes: Axes, values: np.ndarray, targets: np.ndarray) -> None:
    """Draws the examples and the line on which they should lie."""
    step = -(-len(values) // POINTS)
    low, high = min(values.min(), targets.min()), max(values.max(), targets.max())
    axes.plot([low, high], [low, high], color=GREY, linestyle='--', linewidth=1)
    axes.plot(targets[::step], values[::step], 'o', color=SKY, markersize=3, alpha=0.5, markeredgewidth=0)
    axes.set(xlabel='target', ylabel='prediction')
    hide_frame(axes)


def _errors(axes: Axes, errors: np.ndarray) -> None:
    """Draws a histogram of the errors, and their mean, which says whether all lie too high or too low."""
    axes.hist(errors, bins=histogram_edges(errors), color=SKY)
    axes.axvline(0, color=GREY, linestyle='--', linewidth=1)
    axes.axvline(errors.mean(), color=ORANGE, label=f'mean {errors.mean():.3g}')
    axes.set(xlabel='prediction minus target', ylabel='examples')
    axes.legend(frameon=False, loc='upper right')
    hide_frame(axes)
