"""The varied parameters of a sweep: `--vary NAME=VALUES`, the grid of all values, and random values."""

import itertools
import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import UserError

_WHOLE_NUMBERS = re.compile(r'(-?\d+)\.\.(-?\d+)')
_NUMBER = r'[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?'
_RANGE = re.compile(rf'({_NUMBER})\.\.({_NUMBER})(:log)?(?::(\d+))?')
_NAME = re.compile(r'[A-Za-z_][\w./]*')
_CLOSING = {')': '(', ']': '[', '}': '{'}
MAX_GRID = 100_000  # a larger grid is a slip of the pen


@dataclass(frozen=True)
class Axis:
    """A varied parameter.

    Attributes:
      name: a macro or a parameter, such as `LEARNING_RATE` or `mlp.MLP.width`.
      values: its values as Gin statements write them; for a range, its points on a grid.
      bounds: the ends of a range; None for a list of values.
      is_log: whether the range is logarithmic.
      is_whole: whether the values are all whole numbers of a range.
    """

    name: str
    values: tuple[str, ...]
    bounds: tuple[float, float] | None = None
    is_log: bool = False
    is_whole: bool = False

    def draw(self, generator: random.Random) -> str:
        """Returns a random value: one of the list, or a number of the range."""
        if self.bounds is None:
            return generator.choice(self.values)
        low, high = self.bounds
        if self.is_log:
            return self.written(math.exp(generator.uniform(math.log(low), math.log(high))))
        return self.written(generator.uniform(low, high))

    def written(self, value: Any) -> str:
        """Returns a value as a Gin statement writes it. A number of a range is rounded, and stays inside."""
        if self.bounds is None:
            return str(value)
        low, high = self.bounds
        return repr(min(max(_rounded(value), low), high))


def parse(text: str) -> Axis:
    """Reads the value of `--vary`.

    >>> parse('SEED=0..2').values
    ('0', '1', '2')
    >>> parse('RATE=1e-3..1e-1:log:3').values
    ('0.001', '0.01', '0.1')
    >>> parse("mlp.MLP.widths=(8, 8),(16, 4)").values
    ('(8, 8)', '(16, 4)')

    Raises:
      UserError: it is not NAME=VALUES.
    """
    name, _, written = (part.strip() for part in text.partition('='))
    if not _NAME.fullmatch(name) or not written:
        raise UserError(
            f'--vary={text} does not name values. Write --vary NAME=1,2,3, --vary NAME=0..4, or a range: '
            '--vary NAME=1e-4..1e-1:log.'
        )
    if match := _WHOLE_NUMBERS.fullmatch(written):
        return Axis(name, _whole_numbers(text, int(match[1]), int(match[2])), is_whole=True)
    if match := _RANGE.fullmatch(written):
        return _range(text, name, match)
    values = _split(written)
    if '' in values or len(set(values)) < len(values):
        problem = 'an empty value' if '' in values else 'the same value twice'
        raise UserError(f'--vary={text} has {problem}. Write each value once, between commas.')
    return Axis(name, values)


def parse_all(texts: Sequence[str]) -> list[Axis]:
    """Reads all `--vary`. Raises `UserError` if a name comes twice."""
    axes = [parse(text) for text in texts]
    names = [axis.name for axis in axes]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f'{name} is varied twice. Write all of its values in one --vary.')
    return axes


def grid(axes: Sequence[Axis]) -> list[list[str]]:
    """Returns the bindings of each point of the grid; the last axis varies fastest.

    Raises:
      UserError: a range has no number of points, or the grid is too large.
    """
    for axis in axes:
        if not axis.values:
            low, high = axis.bounds or (0.0, 0.0)
            example = f'{axis.name}={low:g}..{high:g}{":log" * axis.is_log}:5'
            raise UserError(
                f'{axis.name} is a range, and a grid needs its points: --vary {example}, or --search=random.'
            )
    size = math.prod(len(axis.values) for axis in axes)
    if size > MAX_GRID:
        raise UserError(f'the grid has {size:,} runs. Vary less, or draw some: --search=random --trials=40.')
    return [
        [f'{axis.name} = {value}' for axis, value in zip(axes, point, strict=True)]
        for point in itertools.product(*(axis.values for axis in axes))
    ]


def draws(axes: Sequence[Axis], trials: int, seed: int) -> list[list[str]]:
    """Returns the bindings of random trials. The first trials do not depend on how many there are."""
    points = [draw(axes, f'{seed} {trial}') for trial in range(trials)]
    return [list(point) for point in dict.fromkeys(map(tuple, points))]


def draw(axes: Sequence[Axis], seed: str) -> list[str]:
    """Returns the bindings of a random point."""
    generator = random.Random(seed)
    return [f'{axis.name} = {axis.draw(generator)}' for axis in axes]


def _whole_numbers(text: str, low: int, high: int) -> tuple[str, ...]:
    if high < low:
        raise UserError(f'--vary={text} counts down. Write the smaller number first.')
    if high - low >= MAX_GRID:
        raise UserError(f'--vary={text} has {high - low + 1:,} values, more than {MAX_GRID:,}. Write fewer.')
    return tuple(map(str, range(low, high + 1)))


def _range(text: str, name: str, match: re.Match[str]) -> Axis:
    low, high, is_log, points = float(match[1]), float(match[2]), bool(match[3]), match[4]
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f'--vary={text} is an empty range. Write the smaller number first.')
    if is_log and low <= 0:
        raise UserError(f'--vary={text} is logarithmic and begins at {low:g}. Begin above 0, or drop :log.')
    if points is not None and not 2 <= int(points) <= MAX_GRID:
        raise UserError(
            f'--vary={text} has {points} points. A range has at least 2, and at most {MAX_GRID:,}.'
        )
    return Axis(name, _points(low, high, is_log, int(points or 0)), (low, high), is_log)


def _points(low: float, high: float, is_log: bool, count: int) -> tuple[str, ...]:
    shares = [index / (count - 1) for index in range(count)] if count else []
    inner = [low * (high / low) ** share if is_log else low + (high - low) * share for share in shares]
    return tuple(map(repr, [low, *map(_rounded, inner[1:-1]), high])) if inner else ()


def _rounded(value: float) -> float:
    """Returns a number with six significant digits: people read it in tables."""
    return float(f'{value:.6g}')


def _split(text: str) -> tuple[str, ...]:
    """Splits at the commas outside brackets and quotes."""
    parts, quote, open_brackets = [''], '', []
    for character in text:
        if quote:
            quote = '' if character == quote else quote
        elif character in '\'"':
            quote = character
        elif character in '([{':
            open_brackets.append(character)
        elif character in _CLOSING and open_brackets[-1:] == [_CLOSING[character]]:
            open_brackets.pop()
        elif character == ',' and not open_brackets:
            parts.append('')
            continue
        parts[-1] += character
    return tuple(part.strip() for part in parts)
