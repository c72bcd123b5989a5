"""Figures for a talk or a paper: readable from the last row, safe for the colour-blind."""

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.outputs.outputs import Outputs
from engine.render import names
from engine.render.figures.fonts import plain, plain_all
from engine.render.figures.style import PERCENT, WIDTH, entitle, hide_frame, histogram_edges
from engine.render.palette import GREY, ORANGE, SKY

BARS, ENDS = 30, 15  # classes that are drawn by name; of more, so many lowest and highest
CURVE_HEIGHT = 2.0  # inches of the curve of all classes, where these are more
HARDEST = 12  # texts


def reliability(table: pd.DataFrame, title: str, error: Metric) -> Figure:
    """Draws accuracy against confidence, and below it how many examples have that confidence.

    Args:
      table: as `calibration.reliability` returns it.
      title: what was evaluated.
      error: the headline, the calibration error.
    """
    figure = Figure(figsize=(WIDTH, 5), layout='constrained')
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
    figure.legend(loc='outside lower center', ncols=3, frameon=False, fontsize='small')
    hide_frame(above, below)
    entitle(figure, plain(title, 60), error.with_title())
    return figure


def class_scores(
    table: pd.DataFrame, score: str, name: str, counted: str, title: str, headline: Metric
) -> Figure:
    """Draws a score of each class that has one, with its interval, the lowest first.

    Of many classes, it draws all scores as one curve, and the lowest and the highest by name.

    Args:
      table: a row per class with `support` and, named after the score, `f1`, `f1_low` and `f1_high`, say.
      score: the column to draw.
      name: the score's name for people.
      counted: what `support` counts.
      title: what was evaluated.
      headline: the mean of the score.
    """
    # Among equal scores, those of many examples come first: they are the surest.
    present = table.dropna(subset=score).sort_values(
        [score, 'support'], ascending=[True, False], kind='stable'
    )
    many = len(present) > BARS
    groups = {f'lowest {ENDS}': present.head(ENDS), f'highest {ENDS}': present.tail(ENDS)}
    groups = groups if many else {'class': present}
    heights = [0.5 + 0.26 * len(group) for group in groups.values()]
    heights = [CURVE_HEIGHT, *heights] if many else heights
    figure = Figure(figsize=(WIDTH, 0.9 + sum(heights)), layout='constrained')
    panels = list(figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0])
    if many:
        _draw_curve(panels[0], np.sort(present[score].to_numpy()), name, headline)
    for axes, (which, group) in zip(panels[-len(groups) :], groups.items(), strict=True):
        _draw_classes(axes, group, score)
        axes.set_ylabel(f'{which} ({counted})')
    panels[-1].set_xlabel(f'{name} (bar) and its interval (line)')
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def _draw_curve(axes: Axes, scores: np.ndarray, name: str, headline: Metric) -> None:
    """Draws the scores of all classes, the lowest first."""
    ranks = np.arange(1, len(scores) + 1)
    axes.fill_between(ranks, scores, color=SKY, alpha=0.35, linewidth=0)
    axes.plot(ranks, scores, color=SKY, linewidth=1.8)
    axes.axhline(headline.value, color=ORANGE, linestyle='--', linewidth=1.2, label='mean')
    axes.set(
        xlim=(1, len(scores)),
        ylim=(0, 1),
        xlabel=f'the {len(scores):,} classes, sorted',
        ylabel=name,
    )
    axes.yaxis.set_major_formatter(PERCENT)
    axes.legend(frameon=False, loc='lower right')
    hide_frame(axes)


def _draw_classes(axes: Axes, shown: pd.DataFrame, score: str) -> None:
    """Draws a bar for each class, its interval and its number, so that a score of 0 is seen too."""
    places = np.arange(len(shown))
    low, high = shown[f'{score}_low'], shown[f'{score}_high']
    axes.barh(places, shown[score], color=SKY)
    axes.hlines(places, low, high, color=rcParams['text.color'], linewidth=1.6)
    ends = shown[[score, f'{score}_high']].max(axis=1)
    for place, end, value in zip(places, ends, shown[score], strict=True):
        axes.text(min(end, 1) + 0.012, float(place), f'{100 * value:.1f} %', va='center', fontsize=7.5)
    short = plain_all(shown.index.tolist(), 28)
    labels = [f'{each} ({count:,})' for each, count in zip(short, shown['support'], strict=True)]
    axes.set_yticks(places, labels, fontsize=8.5)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PERCENT)
    hide_frame(axes)
    axes.tick_params(axis='y', length=0)


def texts(table: pd.DataFrame, title: str, headline: Metric) -> Figure:
    """Draws how many texts take how many bits per byte, and below it which take the most.

    Args:
      table: a row per text with `bits_per_byte`, the hardest first.
      title: what was evaluated.
      headline: the bits per byte of all texts.
    """
    shown = table.head(HARDEST)
    figure = Figure(figsize=(WIDTH, 4.2 + 0.25 * len(shown)), layout='constrained')
    above, below = figure.subplots(2, height_ratios=(3, 1 + 0.25 * len(shown)))
    above.hist(table['bits_per_byte'], bins=histogram_edges(table['bits_per_byte'].to_numpy()), color=SKY)
    above.axvline(headline.value, color=ORANGE, label='all texts together')
    above.set(xlim=(0, None), xlabel='bits per byte', ylabel='texts')
    above.yaxis.set_major_locator(MaxNLocator(integer=True))
    above.legend(frameon=False, loc='upper right')
    places = np.arange(len(shown))
    below.barh(places, shown['bits_per_byte'], color=SKY)
    below.set_yticks(places, plain_all(shown.index.tolist(), 36), fontsize=8.5)
    below.invert_yaxis()
    below.set(xlabel='bits per byte', ylabel='the hardest')
    below.tick_params(axis='y', length=0)
    hide_frame(above, below)
    entitle(figure, plain(title, 60), headline.with_title())
    return figure


def subject(shown: Outputs, bootstrap: Bootstrap) -> str:
    """Returns what a figure shows: dataset, split, number of examples, and how sure the intervals are."""
    manifest, count = shown.manifest, len(shown.ids)
    parts = [names.dataset(manifest.dataset), manifest.split, f'n = {count:,}']
    return ', '.join(filter(None, [*parts, f'{bootstrap.percent} intervals']))
