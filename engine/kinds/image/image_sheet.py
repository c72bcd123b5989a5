"""A sheet of images: each prediction between its target and its error."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from engine.evaluation.drawing import example_sheet
from engine.evaluation.results.metric import Metric
from engine.outputs.outputs import Outputs
from engine.render.figure_style import entitle, plain
from engine.render.pictures import visible


def draw(found: Outputs, scores: np.ndarray, title: str, headline: Metric) -> Figure:
    """Draws the worst and some typical images.

    Args:
      found: outputs of kind `image`, with targets.
      scores: of each image, the higher the better, f64 [n].
      title: what was evaluated.
      headline: the score of all.
    """
    figure = example_sheet.draw(scores, 11.6, partial(_draw_group, found=found, scores=scores))
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def _draw_group(part: SubFigure, places: np.ndarray, *, found: Outputs, scores: np.ndarray) -> None:
    """Draws target, prediction and error, a column for each image."""
    grid = example_sheet.empty_grid(part, ('target', 'prediction', 'error'))
    for column, place in zip(grid.T, places, strict=False):
        target, image = found.arrays['targets'][place], found.arrays['images'][place]
        _show(column[0], target)
        _show(column[1], image)
        column[2].imshow(np.abs(image.astype(int) - target).max(-1), cmap='magma', vmin=0, vmax=255)
        column[0].set_title(f'{plain(found.ids[place], 14)}: {scores[place]:.1f}', fontsize=10)


def _show(axes: Axes, image: np.ndarray) -> None:
    """Shows an image u8 [h, w, c], without opacity."""
    axes.imshow(visible(image), cmap='gray', vmin=0, vmax=255)
