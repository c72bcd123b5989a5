"""Figures for a talk or a paper: readable from the last row, safe for the colour-blind."""

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from engine.evaluation.drawing.example_sheet import figure_of
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.outputs.outputs import Outputs
from engine.render.contact_sheet import contact_sheet
from engine.render.figure_style import PERCENT, entitle, hide_frame, histogram_edges, plain
from engine.render.palette import GREY, ORANGE, SKY
from engine.render.pictures import visible

# From nothing to blue: right on any background.
SHARES = LinearSegmentedColormap.from_list('shares', [(0, 0.45, 0.7, 0), (0, 0.45, 0.7, 1)])
# More classes than these are drawn without their numbers, or without their names, or not all of them.
NUMBERED, NAMED, BARS = 20, 40, 30
HARDEST = 12  # texts
MAX_SAMPLES = 64  # the first ones: a choice would be biased
SAMPLE_WIDTH = 80  # pixels


def confusion_matrix(counts: pd.DataFrame, title: str, accuracy: Metric, in_percent: bool = False) -> Figure:
    """Draws how the examples, or pixels, of each label were predicted.

    Args:
      counts: number of examples, a row per label and a column per predicted class.
      title: what was evaluated.
      accuracy: the headline.
      in_percent: writes shares of the label into the cells instead of counts, where these are long.
    """
    classes = len(counts)
    names = [plain(name) for name in counts.columns]
    longest = max(map(len, names))
    side = max(5, 2.6 + 0.32 * min(classes, NUMBERED) + 0.06 * longest)
    figure = Figure(figsize=(side + 1, side), layout='constrained')
    axes = figure.add_subplot()
    numbers = counts.to_numpy()
    shares = numbers / np.maximum(numbers.sum(axis=1, keepdims=True), 1)
    # Not linear: mistakes are rare, and they are what one looks for.
    image = axes.imshow(shares, cmap=SHARES, norm=PowerNorm(0.5, vmin=0, vmax=1))
    bar = figure.colorbar(image, ax=axes, format=PERCENT, ticks=[0, 0.01, 0.1, 0.25, 0.5, 1], shrink=0.8)
    bar.set_label('share of the label')
    bar.outline.set_visible(False)
    if classes <= NUMBERED:
        _write_numbers(axes, np.round(100 * shares, 1) if in_percent else numbers, shares)
    if classes <= NAMED:
        axes.set_xticks(range(classes), names, rotation=0 if longest <= 3 else 90)
        axes.set_yticks(range(classes), names)
    axes.set_xlabel('prediction')
    axes.set_ylabel('label (numbers in %)' if in_percent else 'label')
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    entitle(figure, plain(title, 60), accuracy.with_title())
    return figure


def reliability(table: pd.DataFrame, title: str, error: Metric) -> Figure:
    """Draws accuracy against confidence, and below it how many examples have that confidence.

    Args:
      table: as `calibration.reliability` returns it.
      title: what was evaluated.
      error: the headline, the calibration error.
    """
    figure = Figure(figsize=(5.6, 6.2), layout='constrained')
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    width = table['high'] - table['low']
    bar = {'x': table['low'], 'width': width, 'align': 'edge', 'edgecolor': 'white'}
    above.bar(height=table['accuracy'], color=SKY, label='accuracy', **bar)
    above.plot([0, 1], [0, 1], color=GREY, linestyle='--', label='perfectly calibrated')
    above.plot(
        table['confidence'],
        table['accuracy'],
        'o',
        color=ORANGE,
        clip_on=False,
        label='at mean confidence',
    )
    above.set(ylim=(0, 1.02), ylabel='accuracy')
    above.yaxis.set_major_formatter(PERCENT)
    below.bar(height=table['examples'], color=GREY, **bar)
    below.set(xlim=(0, 1), xlabel='confidence', ylabel='examples', yscale='symlog')
    below.xaxis.set_major_formatter(PERCENT)
    below.yaxis.set_major_formatter('{x:.0f}')
    figure.legend(loc='outside lower center', ncols=3, frameon=False)
    hide_frame(above, below)
    entitle(figure, plain(title, 60), error.with_title())
    return figure


def class_scores(
    table: pd.DataFrame, score: str, name: str, counted: str, title: str, headline: Metric
) -> Figure:
    """Draws a score of each class that has one, the lowest first, with its interval.

    Args:
      table: a row per class with `support` and, named after the score, `f1`, `f1_low` and `f1_high`, say.
      score: the column to draw.
      name: the score's name for people.
      counted: what `support` counts.
      title: what was evaluated.
      headline: the mean of the score.
    """
    present = table.dropna(subset=score).sort_values(score, kind='stable')
    shown = present.head(BARS)
    figure = Figure(figsize=(6.4, 1.8 + 0.3 * len(shown)), layout='constrained')
    axes = figure.add_subplot()
    places = np.arange(len(shown))
    axes.barh(places, shown[score], color=SKY)
    axes.hlines(
        places, shown[f'{score}_low'], shown[f'{score}_high'], color=rcParams['text.color'], linewidth=2
    )
    names = [
        f'{plain(each)} ({support:,})' for each, support in zip(shown.index, shown['support'], strict=True)
    ]
    axes.set_yticks(places, names)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PERCENT)
    which = f'the {BARS} lowest of {len(present)} classes' if len(present) > BARS else 'class'
    axes.set(xlabel=f'{name} (bar) and its interval (line)', ylabel=f'{which} ({counted})')
    hide_frame(axes)
    axes.tick_params(axis='y', length=0)
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def samples(images: np.ndarray, title: str, distance: Metric) -> Figure:
    """Draws the first generated images in their saved order.

    Args:
      images: uint8 [n, H, W, C]. Of 2 channels the first is drawn, of more than 3 the first three.
      title: what was evaluated.
      distance: the headline metric.
    """
    shown = [visible(image) for image in images[:MAX_SAMPLES]]
    height, width = images.shape[1:3]
    tile = (SAMPLE_WIDTH, max(1, round(SAMPLE_WIDTH * height / width)))
    figure = figure_of({'': contact_sheet(shown, (), min(16, len(shown)), tile)})
    entitle(figure, plain(title, 60), distance.with_title())
    return figure


def texts(table: pd.DataFrame, title: str, headline: Metric) -> Figure:
    """Draws how many texts take how many bits per byte, and below it which take the most.

    Args:
      table: a row per text with `bits_per_byte`, the hardest first.
      title: what was evaluated.
      headline: the bits per byte of all texts.
    """
    shown = table.head(HARDEST)
    figure = Figure(figsize=(6.4, 4.2 + 0.25 * len(shown)), layout='constrained')
    above, below = figure.subplots(2, height_ratios=(3, 1 + 0.25 * len(shown)))
    above.hist(table['bits_per_byte'], bins=histogram_edges(table['bits_per_byte'].to_numpy()), color=SKY)
    above.axvline(headline.value, color=ORANGE, label='all texts together')
    above.set(xlim=(0, None), xlabel='bits per byte', ylabel='texts')
    above.yaxis.set_major_locator(MaxNLocator(integer=True))
    above.legend(frameon=False, loc='upper right')
    places = np.arange(len(shown))
    below.barh(places, shown['bits_per_byte'], color=SKY)
    below.set_yticks(places, [plain(name, 40) for name in shown.index])
    below.invert_yaxis()
    below.set(xlabel='bits per byte', ylabel='the hardest')
    below.tick_params(axis='y', length=0)
    hide_frame(above, below)
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def subject(found: Outputs, bootstrap: Bootstrap) -> str:
    """Returns what a figure shows: dataset, split, number of examples, and how sure the intervals are."""
    manifest, count = found.manifest, len(found.ids)
    return f'{manifest.dataset} {manifest.split}, n = {count}, {bootstrap.percent} intervals'.strip()


def _write_numbers(axes: Axes, numbers: np.ndarray, shares: np.ndarray) -> None:
    """Writes the counts into the cells; zeros would hide them."""
    for row, column in zip(*np.nonzero(numbers), strict=True):
        colour = 'white' if shares[row, column] > 0.5 else rcParams['text.color']
        axes.text(column, row, str(numbers[row, column]), ha='center', va='center', color=colour)
