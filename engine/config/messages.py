"""What users read when a config cannot be parsed."""

import re
import shlex

from engine.config import advice

_MAX_SHOWN = 200
COMMAND_LINE = '--gin_bindings'  # messages name this flag where others name a file
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
    known = advice.for_line(line)
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
