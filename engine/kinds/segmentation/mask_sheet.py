"""A sheet of masks: each prediction under its target."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from engine.evaluation.drawing import example_sheet
from engine.evaluation.results.metric import Metric
from engine.outputs.outputs import Outputs
from engine.render import palette
from engine.render.figure_style import entitle, plain

MOST_COLOURS = 20  # of the legend


def draw(
    found: Outputs, class_names: Sequence[str], image_scores: np.ndarray, title: str, headline: Metric
) -> Figure:
    """Draws the worst and some typical masks.

    Args:
      found: outputs of kind `segmentation`, with targets.
      class_names: of all classes.
      image_scores: score of each example, f64 [n].
      title: what was evaluated.
      headline: the score of all.
    """
    figure = example_sheet.draw(image_scores, 9.4, partial(_draw_group, found=found, scores=image_scores))
    shown = np.concatenate([*example_sheet.chosen(image_scores).values()])
    _explain_colours(figure, found, class_names, shown)
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def _draw_group(part: SubFigure, places: np.ndarray, *, found: Outputs, scores: np.ndarray) -> None:
    """Draws targets above predictions, a column for each example."""
    grid = example_sheet.empty_grid(part, ('target', 'prediction'))
    for axes, name in zip(grid, ('targets', 'masks'), strict=True):
        for each, place in zip(axes, places, strict=False):
            each.imshow(palette.colours(256)[found.arrays[name][place]], interpolation='nearest')
    for axes, place in zip(grid[0], places, strict=False):
        axes.set_title(f'{plain(found.ids[place], 16)}: {100 * scores[place]:.1f} %', fontsize=10)


def _explain_colours(figure: Figure, found: Outputs, class_names: Sequence[str], indices: np.ndarray) -> None:
    """Names the colours of the classes that the drawn examples show."""
    shown = np.unique([found.arrays[name][indices] for name in ('targets', 'masks')])[:MOST_COLOURS]
    patches = [
        Patch(color=tuple(palette.colours(256)[each] / 255), label=plain(class_names[each])) for each in shown
    ]
    figure.legend(handles=patches, loc='outside lower center', ncols=5, frameon=False)
