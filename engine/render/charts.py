"""Charts as SVG. They take their colours from the page, so they suit dark screens and paper too."""

from collections.abc import Mapping, Sequence

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
    return f'<h3>{markup.escaped(title)}</h3>{_steps(shares, present.min(), present.max(), title)}'


def _bin_count(count: int) -> int:
    """Returns the number of bins for `count` values of the smallest split."""
    return int(np.clip(2 * np.sqrt(count), 8, 40))


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(values.dtype, np.integer):
        width = max(1, -(-(int(high) - int(low) + 1) // bins))
        return np.arange(low, high + 1 + width, width) - 0.5
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def _steps(shares: Mapping[str, np.ndarray], low: float, high: float, title: str) -> str:
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
    label = f'{title}: histogram of {", ".join(shares)}, {markup.number(low)} to {markup.number(high)}'
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{markup.escaped(label)}">'
        f'{lines}{axis}{ends}</svg>'
    )


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
        '<span class="bar" aria-hidden="true">'
        f'<i style="width:{width};background:{colour(split)}"></i></span>'
        f'<span class="share">{text}</span>'
    )
