"""Filters and orders of the table, as users write them: `--where='accuracy > 0.9'`, `--sort=-time`."""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial

from engine.errors import UserError
from engine.run_reader.catalogue.entry import RunEntry
from engine.run_reader.catalogue.fields import DURATIONS, Fields, Value

_CONDITION = re.compile(
    r'\s*(?P<name>[^=<>!~\s]+)\s*(?P<operator>==|!=|<=|>=|=|<|>|~)\s*(?P<value>.*?)\s*', re.DOTALL
)
_DURATION = re.compile(r'(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|m|min|h|d|w)')
_UNITS = {'s': 1, 'm': 60, 'min': 60, 'h': 3600, 'd': 86400, 'w': 604800}  # seconds
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    '<': lambda one, other: one < other,
    '<=': lambda one, other: one <= other,
    '>': lambda one, other: one > other,
    '>=': lambda one, other: one >= other,
}


def matching(entries: Sequence[RunEntry], conditions: Sequence[str], fields: Fields) -> list[RunEntry]:
    """Returns the runs that meet all conditions. A run without the value meets only `!=`.

    Raises:
      UserError: a condition is malformed, or no run has its field.
    """
    tests = [_test(condition, fields) for condition in conditions]
    return [entry for entry in entries if all(test(entry) for test in tests)]


def ordered(entries: Sequence[RunEntry], order: str, fields: Fields) -> list[RunEntry]:
    """Returns the runs by a field, the lowest first, but of `best` the best. Runs without the value are last.

    Args:
      entries: the runs.
      order: the field; with '-' in front, the other way round.
      fields: all fields.

    Raises:
      UserError: no run has the field.
    """
    name = fields.full(order.removeprefix('-'), f'--sort={order}')
    keys = {id(entry): _key(entry, name, fields) for entry in entries}
    known = [entry for entry in entries if keys[id(entry)] is not None]
    known.sort(key=lambda entry: keys[id(entry)] or (), reverse=order.startswith('-'))
    return [*known, *(entry for entry in entries if keys[id(entry)] is None)]


def _key(entry: RunEntry, name: str, fields: Fields) -> tuple[bool, float, str] | None:
    """Returns what sorts numbers before texts; None if the run lacks the value."""
    value = fields.value(entry, name)
    number = _number(value)
    if value is None:
        return None
    if name == 'best' and entry.best_metric[1] == 'max':
        number = -(number or 0.0)
    return (False, number, '') if number is not None else (True, 0.0, str(value))


def _test(condition: str, fields: Fields) -> Callable[[RunEntry], bool]:
    flag = f'--where={condition!r}'
    match = _CONDITION.fullmatch(condition)
    if not match or not match['value']:
        raise UserError(
            f"{flag} is not a condition. Write --where='NAME OPERATOR VALUE', such as "
            "--where='accuracy > 0.9'. The operators are = != < <= > >= and ~ (contains)."
        )
    name, operator, text = fields.full(match['name'], flag), match['operator'], match['value']
    if operator == '~':
        compare: Callable[[Value], bool] = partial(_contains, _pattern(text, flag))
    elif operator in _ORDERS:
        compare = partial(_is_ordered, _ORDERS[operator], _limit(name, text, flag))
    else:
        compare = partial(_equals, seconds(text) if name in DURATIONS else None, text)
    if operator == '!=':
        return lambda entry: not _applied(compare, fields.value(entry, name))
    return lambda entry: _applied(compare, fields.value(entry, name))


def _applied(compare: Callable[[Value], bool], value: Value) -> bool:
    return value is not None and compare(value)


def _contains(pattern: re.Pattern[str], value: Value) -> bool:
    return pattern.search(str(value)) is not None


def _pattern(text: str, flag: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise UserError(f'{flag}: {text} is not a regular expression: {error}.') from error


def _limit(name: str, text: str, flag: str) -> float | str:
    """Returns the number or the time with which values are compared."""
    if name == 'started':
        return text
    number = seconds(text) if name in DURATIONS else _number(text)
    if number is None:
        what = 'a duration, such as 90s, 2h or 7d' if name in DURATIONS else 'a number'
        raise UserError(f'{flag}: {text} is not {what}.')
    return number


def _is_ordered(is_fine: Callable[..., bool], limit: float | str, value: Value) -> bool:
    if isinstance(limit, str):
        return is_fine(str(value), limit)
    number = _number(value)
    return number is not None and is_fine(number, limit)


def _equals(duration: float | None, text: str, value: Value) -> bool:
    one, other = _number(value), _number(text) if duration is None else duration
    if one is not None and other is not None:
        return one == other
    return str(value).strip('\'"') == text.strip('\'"')


def _number(value: Value) -> float | None:
    """Returns a number, or the number in a text; None for NaN and other texts."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return None if math.isnan(number) else number


def seconds(text: str) -> float | None:
    """Returns a duration in seconds; None if the text is not a duration.

    >>> seconds('2h'), seconds('1.5 min'), seconds('soon')
    (7200.0, 90.0, None)
    """
    if match := _DURATION.fullmatch(text.strip()):
        return float(match['number']) * _UNITS[match['unit']]
    return _number(text)
