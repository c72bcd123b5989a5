"""Which classes are confused: the matrix of few classes, or of those confused most, and the pairs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import sparse

from engine.evaluation.results.metric import Metric
from engine.render.figures.fonts import plain, plain_all
from engine.render.figures.style import PERCENT, WIDTH, entitle, hide_frame
from engine.render.palette import SKY

# From nothing to blue: right on any background.
SHARES = LinearSegmentedColormap.from_list('shares', [(0, 0.45, 0.7, 0), (0, 0.45, 0.7, 1)])
NUMBERED, DRAWN = 20, 30  # classes of a matrix with numbers, and of any matrix
MAX_PAIRS, DRAWN_PAIRS = 100, 20  # pairs of classes in the table, and in the figure


def pairs(counts: sparse.csr_array, names: Sequence[str]) -> pd.DataFrame:
    """Returns the pairs of classes that are confused most often, the most frequent first.

    Args:
      counts: number of examples, a row per label and a column per predicted class, [K, K].
      names: names of the classes.

    Returns:
      A row per pair: `label`, `prediction`, `count`, and `share` of the examples of the label.
    """
    labels, predictions, numbers = _mistakes(counts)
    chosen = np.argsort(-numbers, kind='stable')[:MAX_PAIRS]
    totals = _totals(counts, len(names))[labels[chosen]]
    all_names = np.array(names, object)
    columns = {
        'label': all_names[labels[chosen]],
        'prediction': all_names[predictions[chosen]],
        'count': numbers[chosen],
        'share': numbers[chosen] / totals,
    }
    return pd.DataFrame(columns, pd.RangeIndex(1, len(chosen) + 1, name='rank'))


def most_confused(counts: sparse.csr_array, classes: int) -> np.ndarray:
    """Returns the classes of the most frequent mistakes, at most `DRAWN`, int [k], in order."""
    if classes <= DRAWN:
        return np.arange(classes)
    labels, predictions, numbers = _mistakes(counts)
    order = np.argsort(-numbers, kind='stable')
    involved = np.stack([labels[order], predictions[order]], axis=1).ravel()
    return np.sort(np.array(list(dict.fromkeys(involved.tolist()))[:DRAWN], int))


def _mistakes(counts: sparse.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns label, prediction and number of all kinds of mistakes that occur."""
    entries = sparse.coo_array(counts)
    labels, predictions = entries.coords
    wrong = (labels != predictions) & (entries.data > 0)
    return labels[wrong], predictions[wrong], entries.data[wrong].astype(int)


def _totals(counts: sparse.csr_array, classes: int) -> np.ndarray:
    """Returns the number of examples of each label, [K]."""
    return np.asarray(counts @ np.ones(classes))


def matrix(
    counts: sparse.csr_array, names: Sequence[str], title: str, accuracy: Metric, in_percent: bool = False
) -> Figure:
    """Draws how the examples, or pixels, of each label were predicted. Of many classes, the most confused.

    Args:
      counts: number of examples, a row per label and a column per predicted class, [K, K].
      names: names of the classes.
      title: what was evaluated.
      accuracy: the headline.
      in_percent: writes shares of the label into the cells instead of counts, where these are long.
    """
    chosen = most_confused(counts, len(names))
    totals = _totals(counts, len(names))[chosen]
    numbers = counts[chosen][:, chosen].toarray().astype(int)
    shares = numbers / np.maximum(totals[:, np.newaxis], 1)
    figure, axes = _canvas(len(chosen))
    # Not linear: mistakes are rare, and they are what one looks for.
    image = axes.imshow(shares, cmap=SHARES, norm=PowerNorm(0.5, vmin=0, vmax=1))
    bar = figure.colorbar(image, ax=axes, format=PERCENT, ticks=[0, 0.01, 0.1, 0.25, 0.5, 1], shrink=0.8)
    bar.set_label('share of the label')
    bar.outline.set_visible(False)
    if len(chosen) <= NUMBERED:
        _write_numbers(axes, np.round(100 * shares, 1) if in_percent else numbers, shares)
    _name_classes(axes, [names[label] for label in chosen.tolist()])
    few = f'the {len(chosen)} of {len(names):,} classes that are confused most'
    axes.set_xlabel('prediction' if len(chosen) == len(names) else f'prediction ({few})')
    axes.set_ylabel('label (numbers in %)' if in_percent and len(chosen) <= NUMBERED else 'label')
    entitle(figure, plain(title, 60), accuracy.with_title())
    return figure


def most_frequent(table: pd.DataFrame, title: str, accuracy: Metric) -> Figure:
    """Draws the most frequent pairs of label and prediction as bars.

    Args:
      table: as `pairs` returns it.
      title: what was evaluated.
      accuracy: the headline.
    """
    shown = table.head(DRAWN_PAIRS)
    figure = Figure(figsize=(WIDTH, 1.4 + 0.4 * len(shown)), layout='constrained')
    axes = figure.add_subplot()
    bars = axes.barh(range(len(shown)), shown['count'], color=SKY)
    axes.bar_label(bars, [f' {count:,}' for count in shown['count']], fontsize=8)
    axes.margins(x=0.12, y=0.01)
    labels, predictions = (plain_all(shown[column].tolist(), 30) for column in ('label', 'prediction'))
    lines = [f'{label}\n→ {prediction}' for label, prediction in zip(labels, predictions, strict=True)]
    axes.set_yticks(range(len(shown)), lines, fontsize=7.5, linespacing=1.05)
    axes.set(xlabel='examples', ylabel='label → prediction')
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.invert_yaxis()
    hide_frame(axes)
    axes.tick_params(axis='y', length=0)
    entitle(figure, plain(title, 60), accuracy.with_title())
    return figure


def _canvas(classes: int) -> tuple[Figure, Axes]:
    side = max(4.2, 2.4 + 0.3 * classes if classes <= NUMBERED else 2.8 + 0.16 * classes)
    figure = Figure(figsize=(side + 0.9, side), layout='constrained')
    axes = figure.add_subplot()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes


def _name_classes(axes: Axes, names: Sequence[object]) -> None:
    short = plain_all(names, 20)
    size = 'medium' if len(short) <= NUMBERED else 7.5
    flat = sum(max(map(len, short)) + 1 for _ in short) <= 30
    axes.set_xticks(range(len(short)), short, rotation=0 if flat else 90, fontsize=size)
    axes.set_yticks(range(len(short)), short, fontsize=size)


def _write_numbers(axes: Axes, numbers: np.ndarray, shares: np.ndarray) -> None:
    """Writes the counts into the cells; zeros would hide them."""
    for row, column in zip(*np.nonzero(numbers), strict=True):
        colour = 'white' if shares[row, column] > 0.5 else rcParams['text.color']
        axes.text(column, row, str(numbers[row, column]), ha='center', va='center', color=colour)
