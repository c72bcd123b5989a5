"""Numbers of several methods above each other on one scale, each with its interval."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.render import markup


@dataclass(frozen=True)
class Line:
    """What stands for one method.

    Attributes:
      name: of the method.
      value: its number.
      low: where its interval begins.
      high: where it ends.
      shown: the number as people read it.
      dots: further numbers, such as those of single seeds.
    """

    name: str
    value: float
    low: float
    high: float
    shown: str
    dots: Sequence[float] = ()


def forest(title: str, lines: Sequence[Line], shown: Callable[[float], str], zero: bool = False) -> str:
    """Draws lines one above the other.

    Args:
      title: what they are about.
      lines: one for each method.
      shown: a number as people read it, for the ends of the scale.
      zero: whether 0 is marked, and on the scale.

    Returns:
      Markup; '' if there is no number.
    """
    numbers = [each for line in lines for each in (line.value, line.low, line.high, *line.dots)]
    finite = [each for each in [*numbers, *([0.0] if zero else [])] if math.isfinite(each)]
    if not finite:
        return ''
    low, high = min(finite), max(finite)
    scale = _Scale(low, (high - low) or 1.0)
    rows = ''.join(_row(line, scale, zero) for line in lines)
    return (
        f'<h3>{markup.escaped(title)}</h3><div class="forest">{rows}'
        f'<p class="ends"><span>{shown(low)}</span><span>{shown(high)}</span></p></div>'
    )


@dataclass(frozen=True)
class _Scale:
    low: float
    width: float

    def __call__(self, number: float) -> str:
        return f'{2 + 96 * (number - self.low) / self.width:.2f}'


def _row(line: Line, scale: _Scale, zero: bool) -> str:
    paths = f'<path class="track" d="M{scale(0.0)} 0V10"/>' if zero else '<path class="track" d="M0 5H100"/>'
    if math.isfinite(line.low) and math.isfinite(line.high):
        paths += f'<path class="range" d="M{scale(line.low)} 5H{scale(line.high)}"/>'
    paths += ''.join(f'<path class="dot" d="M{scale(each)} 3V7"/>' for each in line.dots)
    if math.isfinite(line.value):
        paths += f'<path class="value" d="M{scale(line.value)} 0V10"/>'
    svg = f'<svg class="interval" viewBox="0 0 100 10" preserveAspectRatio="none">{paths}</svg>'
    return f'<b>{markup.escaped(line.name)}</b>{svg}<span>{markup.escaped(line.shown)}</span>'
