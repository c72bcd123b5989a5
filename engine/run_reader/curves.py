"""Trainings as figures, with all runs in one: metrics by step, throughput, where the time went."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from engine.render.durations import duration
from engine.render.figures.fonts import plain, plain_all
from engine.render.figures.style import PERCENT, WIDTH, entitle, hide_frame
from engine.render.palette import GREY, OKABE_ITO
from engine.run_reader.logs import TrainingLogs
from engine.run_reader.metric_lines import EVALUATION, Style, draw_evaluations, draw_steps
from engine.run_reader.smoothing import thinned
from engine.run_reader.summary import Runs
from engine.run_reader.times import KINDS, REST

# Okabe and Ito's colours that are visible on white, the most distinct first: blue, vermilion, ...
COLOURS = tuple(OKABE_ITO[index] for index in (5, 6, 3, 7, 1, 2, 0))
ALONE = COLOURS[1]  # colour of the evaluations of a single run
DASHES = ('-', '--', ':', '-.')  # the next style when all colours are used
KIND_COLOURS = dict(zip(KINDS, (OKABE_ITO[index] for index in (1, 5, 3, 7, 2)), strict=True))
HEIGHT = 3.3  # inches
RATE: Style = {'linewidth': 1.4, 'marker': 'o', 'markersize': 3}
MEDIAN: Style = {'linewidth': 0.9, 'linestyle': (0, (6, 4))}
MAX_DETAILED_RUNS = 4  # with more runs, single steps and medians would hide each other and are left out
WINDOW_SHARE = 0.02  # window of the running mean, as a share of the longest run
LOGARITHMIC_FACTOR = 30  # values that vary by more than this get a logarithmic scale


def figures(runs: Runs) -> dict[str, Callable[[], Figure]]:
    """Returns functions that draw figures of all that the logs hold, by name, the loss first.

    Args:
      runs: the runs, by their names in the legend.
    """
    drawn: dict[str, Callable[[], Figure]] = {
        name: lambda name=name: metric(name, runs) for name in _metrics(runs)
    }
    if any(run.time['examples_per_second'].notna().any() for run in runs.values()):
        drawn['examples_per_second'] = lambda: throughput(runs)
    if any(run.time['total'].any() for run in runs.values()):
        drawn['where_the_time_went'] = lambda: times(runs)
    return drawn


def metric(name: str, runs: Runs) -> Figure:
    """Draws a metric: every line of the log thin, its running mean above, and evaluations as points."""
    figure, axes = _canvas(name, runs)
    window = _window(name, runs)
    keys: dict[str, Style] = {}
    for run, style in zip(runs.values(), _styles(runs), strict=True):
        if name in run.train:
            values, few = pd.Series(run.train[name]), len(runs) <= MAX_DETAILED_RUNS
            keys |= draw_steps(axes, values, window, run.log_every, style, faint=few)
        if name in run.val:
            alone = {'color': ALONE} if len(runs) == 1 else {}
            keys |= draw_evaluations(axes, pd.Series(run.val[name]).dropna(), style | alone)
    axes.set(xlabel='step', ylabel=_words(name))
    if name != 'learning_rate':
        _scale(axes)
    _finish(figure, axes, runs, keys)
    return figure


def throughput(runs: Runs) -> Figure:
    """Draws the examples per second between evaluations, and the median of each run."""
    figure, axes = _canvas('throughput', runs)
    few = len(runs) <= MAX_DETAILED_RUNS
    for run, style in zip(runs.values(), _styles(runs), strict=True):
        rates = pd.Series(run.time['examples_per_second'].dropna())
        drawn = thinned(rates)
        axes.plot(drawn.index, drawn, **style, **RATE)
        axes.hlines([rates.median()] if few else [], 0, run.done, color=style['color'], **MEDIAN)
    axes.set(xlabel='step', ylabel='examples per second', ylim=(0, None))
    axes.yaxis.set_major_formatter('{x:,.6g}')
    _finish(figure, axes, runs, {'between evaluations': RATE} | ({'median': MEDIAN} if few else {}))
    return figure


def times(runs: Runs) -> Figure:
    """Draws the shares of each run's time by kind of work, and the total time."""
    seconds = pd.DataFrame({name: run.time[list(KINDS)].sum() for name, run in runs.items()}).T
    whole = seconds.sum(axis=1)
    shares = seconds.div(whole.where(whole > 0), axis=0).fillna(0.0)
    figure = Figure(figsize=(WIDTH, 1.9 + 0.5 * len(runs)), layout='constrained')
    axes = figure.add_subplot()
    left = np.zeros(len(runs))
    for kind in KINDS:
        bars = axes.barh(range(len(runs)), shares[kind], left=left, color=KIND_COLOURS[kind], label=kind)
        labels = [_percent(share) for share in shares[kind]]
        axes.bar_label(bars, labels, label_type='center', color='white' if kind == REST else 'black')
        left += shares[kind].to_numpy()
    for place, total in enumerate(whole):
        axes.text(1.01, place, duration(total) if total else 'no times', va='center')
    axes.set_yticks(range(len(runs)), plain_all(list(runs), 24))
    axes.set(xlim=(0, 1), xlabel='share of the time of training')
    axes.xaxis.set_major_formatter(PERCENT)
    axes.margins(y=0.02)
    axes.invert_yaxis()
    axes.tick_params(axis='y', length=0)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    entitle(figure, 'where the time went')
    figure.legend(loc='outside lower center', ncols=3, frameon=False)  # five in a row are too wide
    return figure


def _metrics(runs: Runs) -> list[str]:
    """Returns the names of all metrics with a number in any run, the losses of all sets first."""
    tables = [table for run in runs.values() for table in (run.train, run.val)]
    names = {str(name) for table in tables for name, numbers in table.count().items() if numbers}
    return sorted(
        names - {'epoch'}, key=lambda name: (name.rpartition('/')[2] != 'loss', name != 'loss', name)
    )


def _window(name: str, runs: Runs) -> int:
    """Returns the window of the running mean in steps; 1 for a learning rate, which is smooth."""
    steps = max(len(run.train) * run.log_every for run in runs.values())
    return 1 if name == 'learning_rate' else round(WINDOW_SHARE * steps)


def _canvas(title: str, runs: Runs) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, HEIGHT), layout='constrained')
    axes = figure.add_subplot()
    hide_frame(axes)
    axes.grid(axis='y', color=GREY, alpha=0.2, linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter('{x:,.0f}')
    alone = f', {plain(next(iter(runs)), 40)}' if len(runs) == 1 else ''
    entitle(figure, _words(title) + alone)
    return figure, axes


def _styles(runs: Runs) -> list[Style]:
    """Returns colour and dashes of each run: all colours first, then all again with other dashes."""
    turns = [divmod(index, len(COLOURS)) for index in range(len(runs))]
    return [{'color': COLOURS[place], 'linestyle': DASHES[turn % len(DASHES)]} for turn, place in turns]


def _scale(axes: Axes) -> None:
    """Makes the scale logarithmic if the values are positive and span several magnitudes."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) and drawn.min() > 0 and drawn.max() > LOGARITHMIC_FACTOR * drawn.min():
        axes.set_yscale('log')
        axes.yaxis.set_major_formatter('{x:g}')
        axes.set_ylabel(f'{axes.get_ylabel()} (logarithmic)')


def _finish(figure: Figure, axes: Axes, runs: Runs, keys: Mapping[str, Style]) -> None:
    """Adds what all figures by step share: limits of the steps, epochs, a legend."""
    axes.set_xlim(0, 1.02 * max(1, *(run.done for run in runs.values())))
    _add_epochs(axes, runs)
    _add_legend(figure, runs, keys)


def _add_epochs(axes: Axes, runs: Runs) -> None:
    """Adds an axis of epochs if an epoch has the same number of steps in all runs."""
    rates = [rate for run in runs.values() for rate in _epochs_per_step(run)]
    if not rates or not np.allclose(rates, rates[0]):
        return
    rate = rates[0]
    above = axes.secondary_xaxis(
        'top', functions=(lambda step: np.multiply(step, rate), lambda epoch: np.divide(epoch, rate))
    )
    above.set_xlabel('epoch')
    above.tick_params(length=0)
    above.spines[:].set_visible(False)


def _epochs_per_step(run: TrainingLogs) -> list[float]:
    """Returns the epochs per step in the last line with an epoch of each log."""
    epochs = [table['epoch'].dropna() for table in (run.train, run.val) if 'epoch' in table]
    return [
        column.iloc[-1] / column.index[-1]
        for column in epochs
        if len(column) and column.index[-1] and column.iloc[-1] > 0
    ]


def _add_legend(figure: Figure, runs: Runs, keys: Mapping[str, Style]) -> None:
    """Adds a legend: the runs' colours if there are several, and the kinds of lines."""
    named = runs if len(runs) > 1 else {}
    styles: list[Style] = [{**style, 'linewidth': 3} for style in _styles(named)]
    styles += [{'color': _key_colour(key, runs), **key} for key in keys.values()]
    labels = [*plain_all(list(named), 32), *keys]
    if not labels:
        return
    columns = min(len(labels), max(1, 64 // (8 + max(map(len, labels)))))
    figure.set_figheight(HEIGHT + 0.22 * -(-len(labels) // columns))
    handles = [Line2D([], [], **style) for style in styles]
    figure.legend(handles, labels, loc='outside lower center', ncols=columns, frameon=False)


def _key_colour(key: Style, runs: Runs) -> str:
    """Returns grey if each run has its own colour, else the colour of the line."""
    if len(runs) > 1:
        return GREY
    return ALONE if key is EVALUATION else COLOURS[0]


def _words(name: str) -> str:
    return plain(name.replace('_', ' '), 40)


def _percent(share: float) -> str:
    return f'{100 * share:.0f} %' if share >= 0.08 else ''
