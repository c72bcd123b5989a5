"""A sheet of examples: the worst and some typical ones, so that one sees what a score means."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure, SubFigure

COLUMNS = 5  # examples of each sort

Draw = Callable[[SubFigure, np.ndarray], None]


def draw(scores: np.ndarray, height: float, draw_group: Draw) -> Figure:
    """Draws the examples with the lowest score, and below them those around the median.

    Args:
      scores: of each example, the higher the better, f64 [n].
      height: of the figure, inches.
      draw_group: draws the examples of these places, int [at most COLUMNS], into a part of the figure.
    """
    figure = Figure(figsize=(9, height), layout='constrained')
    groups = {name: each for name, each in chosen(scores).items() if len(each)}
    parts = figure.subfigures(len(groups), 1, squeeze=False)[:, 0]
    for part, (name, places) in zip(parts, groups.items(), strict=True):
        part.suptitle(name, x=0.02, ha='left')
        draw_group(part, places)
    return figure


def chosen(scores: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the places of the worst and of typical examples, the lowest score first."""
    order = np.argsort(scores, kind='stable')
    middle = max(COLUMNS, len(order) // 2 - COLUMNS // 2)
    return {'worst': order[:COLUMNS], 'typical': order[middle : middle + COLUMNS]}


def empty_grid(part: SubFigure, rows: tuple[str, ...]) -> np.ndarray:
    """Returns axes [rows, COLUMNS] without ticks, the rows named."""
    grid = part.subplots(len(rows), COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, name in zip(grid[:, 0], rows, strict=True):
        axes.set_ylabel(name)
    return grid
