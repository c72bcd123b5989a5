"""Trainings as figures, several runs over each other: metrics by step, throughput, where the time went."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from engine.render.figure_style import PERCENT, entitle, hide_frame, plain
from engine.render.palette import GREY, OKABE_ITO
from engine.run_reader.logs import KINDS, REST, TrainingLogs
from engine.run_reader.summary import Runs, duration

Style = dict[str, Any]  # how a line is drawn, in Matplotlib's words

# Okabe and Ito's colours that show on white, the most unlike first: blue, vermilion, green, purple, ...
COLOURS = tuple(OKABE_ITO[index] for index in (5, 6, 3, 7, 1, 2, 0))
ALONE = COLOURS[1]  # of the evaluations, where there is one run
DASHES = ('-', '--', ':', '-.')  # the next one when the colours are used up
KIND_COLOURS = dict(zip(KINDS, (OKABE_ITO[1], OKABE_ITO[5], OKABE_ITO[3], OKABE_ITO[7]), strict=True))
WIDTH, HEIGHT = 7.2, 4.4  # inches
STEP: Style = {'linewidth': 0.7, 'alpha': 0.35, 'zorder': 1.5}
MEAN: Style = {'linewidth': 1.8}
EVALUATION: Style = {
    'linewidth': 0.9,
    'marker': 'o',
    'markersize': 4,
    'markerfacecolor': 'white',
    'zorder': 3,
}
RATE: Style = {'linewidth': 1.4, 'marker': 'o', 'markersize': 3}
MEDIAN: Style = {'linewidth': 0.9, 'linestyle': (0, (6, 4))}
FEW = 4  # of more runs the single steps and the medians are left out: they would hide each other
POINTS = 2000  # what a line is drawn with at most: no screen shows more, and an SVG would be huge
MARKERS = 60  # of a line of evaluations
WINDOW = 0.02  # the running mean is over this share of the longest run
LOGARITHMIC = 30  # what varies by more than this factor is drawn on a logarithmic scale


def figures(runs: Runs) -> dict[str, Callable[[], Figure]]:
    """Returns name to what draws it, for all that the logs hold; the loss comes first.

    Args:
      runs: by the names that the legend shows.
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
    """Draws a metric of every step, thin, the running mean over it, and the evaluations as points."""
    figure, axes = _canvas(name, runs)
    window = _window(name, runs)
    keys: dict[str, Style] = {}
    for run, style in zip(runs.values(), _styles(runs), strict=True):
        if name in run.train:
            keys |= _draw_steps(axes, pd.Series(run.train[name]), window, style, faint=len(runs) <= FEW)
        if name in run.val:
            alone = {'color': ALONE} if len(runs) == 1 else {}
            keys |= _draw_evaluations(axes, pd.Series(run.val[name]).dropna(), style | alone)
    axes.set(xlabel='step', ylabel=_words(name))
    if name != 'learning_rate':
        _scale(axes)
    _finish(figure, axes, runs, keys)
    return figure


def throughput(runs: Runs) -> Figure:
    """Draws the examples per second between evaluations, and the median of each run."""
    figure, axes = _canvas('throughput', runs)
    few = len(runs) <= FEW
    for run, style in zip(runs.values(), _styles(runs), strict=True):
        rates = run.time['examples_per_second'].dropna()
        axes.plot(rates.index, rates, **style, **RATE)
        axes.hlines([rates.median()] if few else [], 0, run.done, color=style['color'], **MEDIAN)
    axes.set(xlabel='step', ylabel='examples per second', ylim=(0, None))
    axes.yaxis.set_major_formatter('{x:,.6g}')
    _finish(figure, axes, runs, {'between evaluations': RATE} | ({'median': MEDIAN} if few else {}))
    return figure


def times(runs: Runs) -> Figure:
    """Draws which share of its time each run spent on what, and the whole of it."""
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
    axes.set_yticks(range(len(runs)), [_short(name, 32) for name in runs])
    axes.set(xlim=(0, 1), xlabel='share of the time of training')
    axes.xaxis.set_major_formatter(PERCENT)
    axes.margins(y=0.02)
    axes.invert_yaxis()
    axes.tick_params(axis='y', length=0)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    entitle(figure, 'where the time went')
    figure.legend(loc='outside lower center', ncols=len(KINDS), frameon=False)
    return figure


def thinned(values: pd.Series) -> pd.Series:
    """Returns values by step, at most `POINTS`: the lowest and the highest of each part of a longer line."""
    if len(values) <= POINTS:
        return values
    part = np.arange(len(values)) * (POINTS // 2) // len(values)
    steps = values.index.to_series().groupby(part).agg(['first', 'last'])
    extremes = values.groupby(part).agg(['min', 'max'])
    return pd.Series(extremes.to_numpy().ravel(), steps.to_numpy().ravel())


def running_mean(values: pd.Series, window: int) -> pd.Series:
    """Returns the mean of the `window` values around each step that has one, at most `POINTS` of them.

    Each mean is taken anew: a running sum would never forget a loss that was huge for a moment.
    """
    numbers = values.to_numpy(float)
    places = list(range(0, len(numbers), max(1, -(-len(numbers) // POINTS))))
    means = [_mean_around(numbers, place, window) for place in places]
    return pd.Series(means, values.index[places], dtype=float)


def _metrics(runs: Runs) -> list[str]:
    """Returns all metrics of which a run has a number, the loss first."""
    tables = [table for run in runs.values() for table in (run.train, run.val)]
    names = {str(name) for table in tables for name, numbers in table.count().items() if numbers}
    return sorted(names - {'epoch'}, key=lambda name: (name != 'loss', name))


def _mean_around(numbers: np.ndarray, place: int, window: int) -> float:
    if np.isnan(numbers[place]):
        return np.nan
    return float(np.nanmean(numbers[max(0, place - window // 2) : place + (window + 1) // 2]))


def _window(name: str, runs: Runs) -> int:
    """Returns over how many steps the running mean is; a learning rate is smooth as it is."""
    return 1 if name == 'learning_rate' else round(WINDOW * max(len(run.train) for run in runs.values()))


def _canvas(title: str, runs: Runs) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, HEIGHT), layout='constrained')
    axes = figure.add_subplot()
    hide_frame(axes)
    axes.grid(axis='y', color=GREY, alpha=0.2, linewidth=0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter('{x:,.0f}')
    alone = f', {_short(next(iter(runs)), 48)}' if len(runs) == 1 else ''
    entitle(figure, _words(title) + alone)
    return figure, axes


def _styles(runs: Runs) -> list[Style]:
    """Returns colour and dashes for each run: all colours first, then all again with other dashes."""
    turns = [divmod(index, len(COLOURS)) for index in range(len(runs))]
    return [{'color': COLOURS[place], 'linestyle': DASHES[turn % len(DASHES)]} for turn, place in turns]


def _draw_steps(axes: Axes, values: pd.Series, window: int, style: Style, faint: bool) -> dict[str, Style]:
    """Draws a metric of all steps: the mean over a window and, if there is one, the steps faint behind it.

    Returns:
      What the legend says of it.
    """
    raw = thinned(values)
    if window <= 1:
        axes.plot(raw.index, raw, **style, **MEAN)
        return {}
    if faint:
        axes.plot(raw.index, raw, color=style['color'], **STEP)
    mean = running_mean(values, window)
    axes.plot(mean.index, mean, **style, **MEAN)
    return ({'each step': STEP} if faint else {}) | {f'mean of {window:,} steps': MEAN}


def _draw_evaluations(axes: Axes, values: pd.Series, style: Style) -> dict[str, Style]:
    """Draws evaluations as points; returns what the legend says of them."""
    every = -(-max(len(values), 1) // MARKERS)
    axes.plot(values.index, values, markevery=every, **style, **EVALUATION)
    return {'validation': EVALUATION}


def _scale(axes: Axes) -> None:
    """Makes the scale logarithmic where what is drawn is positive and of several magnitudes."""
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) and drawn.min() > 0 and drawn.max() > LOGARITHMIC * drawn.min():
        axes.set_yscale('log')
        axes.yaxis.set_major_formatter('{x:g}')
        axes.set_ylabel(f'{axes.get_ylabel()} (logarithmic)')


def _finish(figure: Figure, axes: Axes, runs: Runs, keys: Mapping[str, Style]) -> None:
    """Adds what all figures by step share: where the steps end, epochs, a legend."""
    axes.set_xlim(0, 1.02 * max(1, *(run.done for run in runs.values())))
    _add_epochs(axes, runs)
    _add_legend(figure, runs, keys)


def _add_epochs(axes: Axes, runs: Runs) -> None:
    """Adds an axis of epochs, if an epoch is the same number of steps in all runs."""
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
    """Returns what the last line with an epoch tells, of each log that has one."""
    epochs = [table['epoch'].dropna() for table in (run.train, run.val) if 'epoch' in table]
    return [
        each.iloc[-1] / each.index[-1]
        for each in epochs
        if len(each) and each.index[-1] and each.iloc[-1] > 0
    ]


def _add_legend(figure: Figure, runs: Runs, keys: Mapping[str, Style]) -> None:
    """Adds the runs' colours, if there are several, and what the kinds of lines mean."""
    named = runs if len(runs) > 1 else {}
    styles: list[Style] = [{**style, 'linewidth': 3} for style in _styles(named)]
    styles += [{'color': _key_colour(key, runs), **key} for key in keys.values()]
    labels = [*(_short(name, 40) for name in named), *keys]
    if not labels:
        return
    columns = min(len(labels), max(1, 84 // (8 + max(map(len, labels)))))
    figure.set_figheight(HEIGHT + 0.22 * -(-len(labels) // columns))
    handles = [Line2D([], [], **style) for style in styles]
    figure.legend(handles, labels, loc='outside lower center', ncols=columns, frameon=False)


def _key_colour(key: Style, runs: Runs) -> str:
    """Returns grey for what each run draws in its own colour, else the colour it has."""
    if len(runs) > 1:
        return GREY
    return ALONE if key is EVALUATION else COLOURS[0]


def _words(name: str) -> str:
    return plain(name.replace('_', ' '), 40)


def _short(name: str, length: int) -> str:
    """Returns the beginning and the end of a long name: there is what tells runs apart."""
    end = length // 2
    return plain(name if len(name) <= length else f'{name[: length - end - 1]}…{name[-end:]}', length)


def _percent(share: float) -> str:
    return f'{100 * share:.0f} %' if share >= 0.08 else ''
