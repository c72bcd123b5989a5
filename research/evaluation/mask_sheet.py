"""A sheet of masks: the worst and some typical predictions, each under its target."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch

from research import palette
from research.evaluation.figures import NUMBERED, entitle, plain
from research.evaluation.metric import Metric
from research.outputs import Outputs

COLUMNS = 5  # examples of each sort


def draw(
    found: Outputs, class_names: Sequence[str], image_scores: np.ndarray, title: str, headline: Metric
) -> Figure:
    """Draws the examples with the lowest score, and those around the median.

    Args:
      found: outputs of kind `segmentation`, with targets.
      class_names: of all classes.
      image_scores: score of each example, f64 [n].
      title: what was evaluated.
      headline: the score of all.
    """
    figure = Figure(figsize=(9, 9.4), layout='constrained')
    groups = {name: each for name, each in chosen(image_scores).items() if len(each)}
    for part, (name, indices) in zip(
        np.atleast_1d(figure.subfigures(len(groups), 1)), groups.items(), strict=True
    ):
        part.suptitle(name, x=0.02, ha='left')
        _draw_group(part, found, indices, image_scores)
    _explain_colours(figure, found, class_names, np.concatenate(list(groups.values())))
    entitle(figure, title, headline)
    return figure


def chosen(image_scores: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the places of the worst and of typical examples, the lowest score first."""
    order = np.argsort(image_scores, kind='stable')
    middle = max(COLUMNS, len(order) // 2 - COLUMNS // 2)
    return {'worst': order[:COLUMNS], 'typical': order[middle : middle + COLUMNS]}


def _draw_group(part: SubFigure, found: Outputs, indices: np.ndarray, image_scores: np.ndarray) -> None:
    """Draws targets above predictions, a column for each example."""
    grid = part.subplots(2, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for row, name in enumerate(('targets', 'masks')):
        grid[row, 0].set_ylabel({'targets': 'target', 'masks': 'prediction'}[name])
        for axes, index in zip(grid[row], indices, strict=False):
            axes.imshow(palette.colours(256)[found.arrays[name][index]], interpolation='nearest')
    for axes, index in zip(grid[0], indices, strict=False):
        axes.set_title(f'{plain(found.ids[index], 16)}: {100 * image_scores[index]:.1f} %', fontsize=10)


def _explain_colours(figure: Figure, found: Outputs, class_names: Sequence[str], indices: np.ndarray) -> None:
    """Names the colours of the classes that the drawn examples show."""
    shown = np.unique([found.arrays[name][indices] for name in ('targets', 'masks')])[:NUMBERED]
    patches = [
        Patch(color=tuple(palette.colours(256)[each] / 255), label=plain(class_names[each])) for each in shown
    ]
    figure.legend(handles=patches, loc='outside lower center', ncols=5, frameon=False)
