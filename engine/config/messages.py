"""What users read when a config cannot be parsed: the place, the line, and what to write instead."""

import ast
import operator
import re
import shlex
from collections.abc import Callable

COMMAND_LINE = '--gin_bindings'  # messages name this flag where others name a file
_MAX_SHOWN = 200
# `key = word` or `key = word()`, where a class, a macro or a string is meant.
_SEPARATOR = re.compile(r'\s*[;,]\s*(?=[A-Za-z_][\w./]*\s*=)')
_BARE_WORD = re.compile(
    r'(?P<key>[\w./]+)\s*=\s*(?P<word>[A-Za-z_][\w./-]*)(?P<call>\(\))?\s*(#.*)?$',
)


def syntax_error(error: Exception, text: str, name: str) -> str:
    """Explains why a text cannot be parsed.

    Args:
      error: the `SyntaxError` or `tokenize.TokenError` of Gin's parser.
      text: the whole text.
      name: the file that the text is from, or `COMMAND_LINE`.

    Returns:
      The message: the place, the line as written, and what to write instead.
    """
    lines = text.split('\n')
    number = _line_number(error)
    line = lines[min(number, len(lines)) - 1].strip()
    word = _BARE_WORD.match(line)
    known = advice(line)
    explanation = (
        f'{known}.' if known else _alternatives(word) if word else f'this cannot be read: {_reason(error)}.'
    )
    if name != COMMAND_LINE:
        return f'{name}:{number}: {line[:_MAX_SHOWN]}\n  {explanation}'
    parts = split_statements(text)
    if len(parts) > 1:
        flags = ' '.join(f'{name}={shlex.quote(part)}' for part in parts)
        return f'{name}: {text.strip()!r}: give each binding by itself: {flags}'
    better = re.search(r'[Ww]rite (\S+ = .*)', known)
    statement = better[1] if better else _corrected(word) if word else 'STEPS = 100'
    write = 'In a shell' if better or word else 'Write a binding, such as'
    return f'{name}: {text.strip()!r}: {explanation} {write}: {name}={shlex.quote(statement)}'


def split_statements(text: str) -> list[str]:
    """Returns the bindings of a text that holds several, separated by `;` or `,`.

    >>> split_statements('SEED=1; STEPS = 20')
    ['SEED=1', 'STEPS = 20']
    >>> split_statements("dataset = 'a, b=c'")
    ["dataset = 'a, b=c'"]
    """
    return [text] if re.search(r'[\'"(\[{]', text) else _SEPARATOR.split(text.strip().rstrip(';,'))


def _line_number(error: Exception) -> int:
    return (error.lineno if isinstance(error, SyntaxError) else error.args[1][0]) or 1


def _reason(error: Exception) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error.args[0])
    first = message.splitlines()[0].rstrip('.')
    return 'it is not a value' if 'malformed node' in first else first


def _alternatives(bare: re.Match[str]) -> str:
    """Lists what a word without a mark may stand for."""
    word, call = bare['word'], bare['call'] or ''
    constant = word.capitalize()
    choices = [constant] if constant in ('True', 'False', 'None') else []
    choices += [f"'{word}' for a string", f'@{word}{call} for a class or function', f'%{word} for a macro']
    return f'{word}{call} is not a value. Write ' + ', or '.join(choices) + '.'


def _corrected(bare: re.Match[str]) -> str:
    """Returns the statement with its word as a string, or as a reference if it is called."""
    value = f'@{bare["word"]}()' if bare['call'] else f'"{bare["word"]}"'
    return f'{bare["key"]} = {value}'


# What to write instead, by the mistakes that people make.

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


def advice(line: str) -> str:
    """Returns what is wrong with a line and what to write instead; '' if it has none of the known mistakes.

    >>> advice('SCALE = 1/250')
    'a config does not compute. Write SCALE = 0.004'
    """
    for pattern, known in _ADVICE.items():
        match = re.match(pattern, line[:_MAX_LINE])
        sentence = (known if isinstance(known, str) else known(match)) if match else ''
        if sentence:
            return sentence
    return ''
