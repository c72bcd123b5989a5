"""What to write instead of a statement that cannot be parsed, by the mistakes that people make."""

import ast
import operator
import re
from collections.abc import Callable

FINITE = (
    'a config holds finite numbers alone. Write the largest number that you mean, such as 1e38, or None '
    'where the code takes None for "no limit"'
)
_COMPUTE = 'a config does not compute. '
_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_MAX_LINE = 300  # no longer line is looked at
_POWER = re.compile(r'(\d+(?:\.\d*)?)\s*\*\*\s*(-?\d{1,2})')

Advice = str | Callable[[re.Match[str]], str]


def _result(match: re.Match[str]) -> str:
    """Returns what arithmetic of numbers gives, as advice; '' if it is none."""
    text = match['value']
    if power := _POWER.fullmatch(text.strip()):
        result: float = float(power[1]) ** int(power[2])
        whole = result.is_integer() and '.' not in power[1]
        return f'{_COMPUTE}Write {match["key"]} = {int(result) if whole else result!r}'
    try:
        result = _value(ast.parse(text.strip(), mode='eval').body)
        return f'{_COMPUTE}Write {match["key"]} = {result!r}'
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return ''


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    raise ValueError


_KEY = r'(?P<key>[\w./]+)\s*=\s*'
_END = r'\s*(?:#.*)?$'


def _assignment(match: re.Match[str]) -> str:
    return f'write {match["key"]} = {match["value"]}'


# Patterns of lines, with what to write instead. The first that gives advice counts.
_ADVICE: dict[str, Advice] = {
    r'.*[\u2018\u2019\u201c\u201d]': 'these quotes are typographic. Write \' or "',
    _KEY + r'[-+]?(?:[fF]loat\(.*|(?:\w+\.)?(?i:inf|infinity|nan)\b)': FINITE,
    _KEY + r'.*\blambda\b': 'a config holds no functions. Write one in your code, and bind @module.name',
    _KEY + r'(?P<value>[-\d.][-+*/%\d.eE\s()_]*?)' + _END: _result,
    _KEY + r'[^\'"#]*[%\w)\]]\s*(?:\*\*?|//?|[-+])\s*[%\w(\[]': (
        f'{_COMPUTE}Write the result, or compute it in your code'
    ),
    _KEY + r'@[\w./]+\(\s*[^)\s]': (
        'a call takes no arguments here. Bind each as `module.name.parameter = value`'
    ),
    _KEY + r'\{[^:]*$': 'a config holds no sets. Write a list or a tuple',
    _KEY + r'[fF][\'"]': 'a config computes no strings. Write the string itself',
    _KEY + r'(?P<value>[^()\[\]{}#]*[^\s()\[\]{}#]\s*,[^()\[\]{}#]*?)' + _END: (
        lambda match: f'a tuple has brackets. Write {match["key"]} = ({match["value"].strip()})'
    ),
    r'(?P<key>[\w./]+)\s*(?::|==)\s*(?P<value>[^\s#=].*?)' + _END: _assignment,
    r'include\s+(?P<file>[^\s\'"#]+)': lambda match: f"write include '{match['file']}'",
    r'[%@](?P<rest>[\w./]+\s*=.*)': lambda match: f'write {match["rest"]}',
}


def for_line(line: str) -> str:
    """Returns what is wrong with a line and what to write instead; '' if it has none of the known mistakes.

    >>> for_line('SCALE = 1/250')
    'a config does not compute. Write SCALE = 0.004'
    """
    for pattern, advice in _ADVICE.items():
        match = re.match(pattern, line[:_MAX_LINE])
        sentence = (advice if isinstance(advice, str) else advice(match)) if match else ''
        if sentence:
            return sentence
    return ''
