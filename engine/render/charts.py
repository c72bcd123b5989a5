"""Charts as SVG. They take their colours from the page, so they suit dark screens and paper too."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.render import markup

WIDTH, HEIGHT = 320, 130  # units of the viewBox
LEFT, RIGHT, TOP, BOTTOM = 4, 4, 8, 20


def colour(split: int) -> str:
    """Returns the CSS colour of the split with this index."""
    return f'var(--split-{split % 4})'


def legend(splits: Sequence[str]) -> str:
    """Returns a legend of the splits' colours."""
    chips = markup.chips((split, colour(index)) for index, split in enumerate(splits))
    return f'<p class="legend">{chips}</p>'


def histogram(samples: Mapping[str, np.ndarray], title: str) -> str:
    """Draws a histogram of each split's values, as shares of the split.

    Args:
      samples: name of each split and its values, [n]. NaN and infinity are left out.
      title: what the values are.
    """
    finite = {split: values[np.isfinite(values)] for split, values in samples.items()}
    present = np.concatenate([*finite.values()]) if finite else np.empty(0)
    if not present.size:
        return f'<h3>{markup.escaped(title)}</h3><p>no values</p>'
    edges = _edges(present, _bin_count(min(values.size for values in finite.values())))
    shares = {split: np.histogram(values, edges)[0] / max(values.size, 1) for split, values in finite.items()}
    return f'<h3>{markup.escaped(title)}</h3>{_steps(shares, present.min(), present.max())}'


def _bin_count(count: int) -> int:
    """Returns the number of bins for `count` values of the smallest split."""
    return int(np.clip(2 * np.sqrt(count), 8, 40))


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(values.dtype, np.integer):
        width = max(1, -(-(int(high) - int(low) + 1) // bins))
        return np.arange(low, high + 1 + width, width) - 0.5
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def _steps(shares: Mapping[str, np.ndarray], low: float, high: float) -> str:
    """Draws a stepped line for each split, and an axis labelled at its two ends."""
    top = max(float(heights.max()) for heights in shares.values()) or 1.0
    lines = ''.join(
        _line(heights / top, colour(split), split == 0) for split, heights in enumerate(shares.values())
    )
    floor = HEIGHT - BOTTOM
    axis = f'<path class="axis" d="M{LEFT} {floor}H{WIDTH - RIGHT}"/>'
    ends = (
        f'<text x="{LEFT}" y="{HEIGHT - 6}">{markup.number(round(low, 6))}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{markup.number(round(high, 6))}</text>'
    )
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{lines}{axis}{ends}</svg>'


def _line(heights: np.ndarray, stroke: str, filled: bool) -> str:
    floor = HEIGHT - BOTTOM
    xs = np.linspace(LEFT, WIDTH - RIGHT, len(heights) + 1)
    ys = floor - heights * (floor - TOP)
    steps = ''.join(f'V{y:.1f}H{x:.1f}' for x, y in zip(xs[1:], ys, strict=True))
    path = f'M{LEFT} {floor}{steps}V{floor}'
    area = f'<path d="{path}Z" style="fill:{stroke};opacity:.18"/>' if filled else ''
    return f'{area}<path class="line" d="{path}" style="stroke:{stroke}"/>'


def bar(share: float, split: int, text: str) -> str:
    """Returns a bar that fills a share of its cell, followed by a text."""
    width = f'{100 * share:.1f}%'
    return (
        f'<span class="bar"><i style="width:{width};background:{colour(split)}"></i></span>'
        f'<span class="share">{text}</span>'
    )


# Forest plots: the numbers of several methods on one scale.


@dataclass(frozen=True)
class ForestRow:
    """One method in a forest plot.

    Attributes:
      name: name of the method.
      value: its number.
      low: lower end of its interval.
      high: upper end of its interval.
      shown: the number as text.
      dots: further numbers, such as those of single seeds.
    """

    name: str
    value: float
    low: float
    high: float
    shown: str
    dots: Sequence[float] = ()


def forest(title: str, rows: Sequence[ForestRow], shown: Callable[[float], str], zero: bool = False) -> str:
    """Draws the numbers and intervals of several methods below each other on one scale.

    Args:
      title: title of the plot.
      rows: the methods.
      shown: formats a number, for the two ends of the scale.
      zero: whether the scale includes and marks 0.

    Returns:
      Markup; '' if no number is finite.
    """
    numbers = [number for row in rows for number in (row.value, row.low, row.high, *row.dots)]
    finite = [number for number in [*numbers, *([0.0] if zero else [])] if math.isfinite(number)]
    if not finite:
        return ''
    low, high = min(finite), max(finite)
    scale = _Scale(low, (high - low) or 1.0)
    drawn = ''.join(_forest_row(row, scale, zero) for row in rows)
    return (
        f'<h3>{markup.escaped(title)}</h3><div class="forest">{drawn}'
        f'<p class="ends"><span>{shown(low)}</span><span>{shown(high)}</span></p></div>'
    )


@dataclass(frozen=True)
class _Scale:
    low: float
    width: float

    def __call__(self, number: float) -> str:
        return f'{2 + 96 * (number - self.low) / self.width:.2f}'


def _forest_row(row: ForestRow, scale: _Scale, zero: bool) -> str:
    paths = f'<path class="track" d="M{scale(0.0)} 0V10"/>' if zero else '<path class="track" d="M0 5H100"/>'
    if math.isfinite(row.low) and math.isfinite(row.high):
        paths += f'<path class="range" d="M{scale(row.low)} 5H{scale(row.high)}"/>'
    paths += ''.join(f'<path class="dot" d="M{scale(dot)} 3V7"/>' for dot in row.dots)
    if math.isfinite(row.value):
        paths += f'<path class="value" d="M{scale(row.value)} 0V10"/>'
    svg = f'<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none">{paths}</svg>'
    return f'<b>{markup.escaped(row.name)}</b>{svg}<span>{markup.escaped(row.shown)}</span>'
