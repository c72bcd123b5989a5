"""The lines of a figure of a metric: training thin with its running mean above, evaluations as points."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from engine.run_reader.smoothing import running_mean, thinned

Style = dict[str, Any]  # Matplotlib's keywords for a line

STEP: Style = {'linewidth': 0.7, 'alpha': 0.35, 'zorder': 1.5}
MEAN: Style = {'linewidth': 1.8}
EVALUATION: Style = {
    'linewidth': 0.9,
    'marker': 'o',
    'markersize': 4,
    'markerfacecolor': 'white',
    'zorder': 3,
}
MAX_MARKERS = 60  # of a line of evaluations


def draw_steps(
    axes: Axes, values: pd.Series, window: int, log_every: int, style: Style, faint: bool
) -> dict[str, Style]:
    """Draws a metric of training: its running mean, with the lines of the log faint behind it if `faint`.

    Args:
      axes: to draw on.
      values: of each line of the log.
      window: of the running mean, in steps.
      log_every: steps of a line.
      style: colour and dashes of the run.
      faint: whether to draw the lines of the log too.

    Returns:
      The legend's entries and their styles.
    """
    raw, lines = thinned(values), window // log_every
    if lines <= 1:
        axes.plot(raw.index, raw, **style, **MEAN)
        return {_mean_of(log_every): MEAN} if log_every > 1 else {}
    if faint:
        axes.plot(raw.index, raw, color=style['color'], **STEP)
    mean = running_mean(values, lines)
    axes.plot(mean.index, mean, **style, **MEAN)
    return ({_mean_of(log_every): STEP} if faint else {}) | {_mean_of(lines * log_every): MEAN}


def _mean_of(steps: int) -> str:
    return f'mean of {steps:,} steps' if steps > 1 else 'each step'


def draw_evaluations(axes: Axes, values: pd.Series, style: Style) -> dict[str, Style]:
    """Draws evaluations as points; returns the legend's entry and its style."""
    drawn = thinned(values)
    every = -(-max(len(drawn), 1) // MAX_MARKERS)
    axes.plot(drawn.index, drawn, markevery=every, **style, **EVALUATION)
    return {'validation': EVALUATION}
