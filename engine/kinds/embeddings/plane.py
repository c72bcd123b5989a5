"""A map of embeddings: two principal components, in the colours of the classes, with thumbnails."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from engine.evaluation.results.metric import Metric
from engine.render import pictures
from engine.render.figures.fonts import plain, plain_all
from engine.render.figures.style import entitle, hide_frame
from engine.render.palette import SKY

MAX_POINTS = 5000  # drawn and analysed, evenly spaced
MAX_NAMED = 16  # classes in the legend
GRID = (7, 5)  # thumbnails beside and below each other, at most
THUMBNAIL = 25  # pixels of the longer side


def principal(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first two principal components, f64 [n, 2], and their shares of the variance, f64 [2].

    The largest weight of each direction is positive, so that the map is never mirrored.

    Args:
      vectors: f64 [n, d].
    """
    centred = vectors - vectors.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    directions, values = directions[:2], np.append(np.square(values), 0)
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    scores = centred @ (directions * signs[:, np.newaxis]).T
    scores = np.pad(scores, ((0, 0), (0, 2 - scores.shape[1])))  # of one number, or of two examples
    return scores, values[:2] / (values.sum() or 1)


def figure(
    vectors: np.ndarray,
    classes: np.ndarray | None,
    class_names: Sequence[str],
    thumbnails: np.ndarray | None,
    title: str,
    headline: Metric,
) -> Figure:
    """Draws the map.

    Args:
      vectors: f64 [n, d].
      classes: index of the class of each example, int [n]; None if unknown.
      class_names: one per class.
      thumbnails: uint8 [n, h, w, c]; None if there are none.
      title: what was evaluated.
      headline: the metric to state.
    """
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), MAX_POINTS)).round().astype(int)
    places, shares = principal(vectors[rows])
    few = classes is not None and len(class_names) <= MAX_NAMED
    drawn = Figure(figsize=(7.0 if few else 6.0, 5.0), layout='constrained')
    axes = drawn.subplots()
    colours = [SKY] * len(rows) if classes is None else _colours(classes[rows], len(class_names))
    axes.scatter(*places.T, c=colours, s=14 if len(rows) < 1000 else 6, alpha=0.75, linewidths=0)
    if thumbnails is not None and thumbnails[0].size:
        _add_thumbnails(axes, places, colours, thumbnails[rows])
    labels = [
        f'principal component {i + 1} ({100 * share:.0f} % of the variance)' for i, share in enumerate(shares)
    ]
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.margins(0.07)
    axes.ticklabel_format(useOffset=False)
    hide_frame(axes)
    if few:
        _add_legend(drawn, class_names)
    elif classes is not None:
        axes.set_title(f'a colour per class, {len(class_names):,} classes', loc='left', fontsize='small')
    entitle(drawn, plain(title, 70), headline.with_title())
    return drawn


def _colours(classes: np.ndarray, count: int) -> list[str]:
    return [pictures.css(label + 1, count + 1) for label in classes.tolist()]  # the first colour is black


def _add_legend(drawn: Figure, class_names: Sequence[str]) -> None:
    handles = [
        Line2D(
            [], [], color=pictures.css(index + 1, len(class_names) + 1), marker='o', linestyle='', label=name
        )
        for index, name in enumerate(plain_all(list(class_names), 18))
    ]
    drawn.legend(handles=handles, loc='outside right upper', frameon=False, fontsize='small')


def _add_thumbnails(axes: Axes, places: np.ndarray, colours: Sequence[str], thumbnails: np.ndarray) -> None:
    """Shows the picture of the example nearest to the middle of each cell of a grid."""
    low, high = places.min(axis=0), places.max(axis=0)
    cells = (places - low) / np.where(high > low, high - low, 1) * (np.array(GRID) - 1e-9)
    middle = np.abs(cells - np.floor(cells) - 0.5).max(axis=1)
    chosen: dict[tuple[int, ...], int] = {}
    for index in np.argsort(middle, kind='stable').tolist():
        chosen.setdefault(tuple(np.floor(cells[index]).astype(int).tolist()), index)
    for index in chosen.values():
        shown = np.asarray(pictures.small(pictures.visible(thumbnails[index])).convert('RGB'))
        image = OffsetImage(shown, zoom=THUMBNAIL / max(shown.shape[:2]), interpolation='nearest')
        frame = {'edgecolor': colours[index], 'linewidth': 1.6, 'boxstyle': 'square,pad=0'}
        box = AnnotationBbox(image, tuple(places[index]), pad=0.08, bboxprops=frame)
        axes.add_artist(box)
