"""A figure of images: target, prediction and error of the worst and of typical examples."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from engine.evaluation.drawing import example_sheet
from engine.evaluation.results.metric import Metric
from engine.outputs.outputs import Outputs
from engine.render.contact_sheet import rgb
from engine.render.figure_style import entitle, plain
from engine.render.pictures import visible

ID_LENGTH = 14  # characters of an id in a caption


def draw(outputs: Outputs, scores: np.ndarray, title: str, headline: Metric) -> Figure:
    """Draws the worst and some typical images.

    Args:
      outputs: outputs of kind `image`, with targets.
      scores: score of each image, higher is better, f64 [n].
      title: what was evaluated.
      headline: the metric over all images.
    """
    targets, images = outputs.arrays['targets'], outputs.arrays['images']

    def picture(place: int) -> np.ndarray:
        return _stacked(targets[place], images[place])

    def caption(place: int) -> str:
        return f'{plain(outputs.ids[place], ID_LENGTH)}: {scores[place]:.1f}'

    figure = example_sheet.draw(scores, 'target above prediction above error', picture, caption)
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def _stacked(target: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Returns target, prediction and error below each other. The images are uint8 [H, W, C]."""
    errors = np.abs(image.astype(int) - target).max(-1).astype(np.uint8)
    coloured = matplotlib.colormaps['magma'](errors, bytes=True)[..., :3]
    return example_sheet.stacked(rgb(visible(target)), rgb(visible(image)), coloured)
