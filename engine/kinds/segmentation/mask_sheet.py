"""A figure of masks: target and prediction of the worst and of typical examples."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from engine.evaluation.drawing import example_sheet
from engine.evaluation.results.metric import Metric
from engine.outputs.outputs import Outputs
from engine.render import palette
from engine.render.figure_style import entitle, plain

MAX_LEGEND_COLOURS = 20
ID_LENGTH = 14  # characters of an id in a caption


def draw(
    outputs: Outputs, class_names: Sequence[str], image_scores: np.ndarray, title: str, headline: Metric
) -> Figure:
    """Draws the worst and some typical masks.

    Args:
      outputs: outputs of kind `segmentation`, with targets.
      class_names: names of all classes.
      image_scores: score of each example, f64 [n].
      title: what was evaluated.
      headline: the metric over all examples.
    """
    colours = palette.colours(256)
    targets, masks = outputs.arrays['targets'], outputs.arrays['masks']

    def picture(place: int) -> np.ndarray:
        return example_sheet.stacked(colours[targets[place]], colours[masks[place]])

    def caption(place: int) -> str:
        return f'{plain(outputs.ids[place], ID_LENGTH)}: {100 * image_scores[place]:.1f} %'

    figure = example_sheet.draw(image_scores, 'target above prediction', picture, caption)
    places = np.concatenate([*example_sheet.chosen(image_scores).values()])
    _add_legend(figure, class_names, np.unique([targets[places], masks[places]]))
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def _add_legend(figure: Figure, class_names: Sequence[str], labels: np.ndarray) -> None:
    """Names the colours of the classes `labels`, the first ones if there are many."""
    colours = palette.colours(256) / 255
    patches = [
        Patch(color=tuple(colours[label]), label=plain(class_names[label]))
        for label in labels[:MAX_LEGEND_COLOURS]
    ]
    figure.legend(handles=patches, loc='outside lower center', ncols=5, frameon=False)
