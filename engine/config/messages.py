"""What users read when a config cannot be parsed, or when Gin cannot build what it describes."""

import re
import shlex
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import UserError

COMMAND_LINE = '--gin_bindings'  # messages name this flag where others name a file
# `key = word` or `key = word()`, where a class, a macro or a string is meant.
_BARE_WORD = re.compile(
    r'(?P<key>[\w./]+)\s*=\s*(?P<word>[A-Za-z_][\w./-]*)(?P<call>\(\))?\s*(#.*)?$',
)
# Gin appends this to the message of an error that a class or function raises.
_GIN_CALL = '\n  In call to configurable'
_CALLER = re.compile(r"In call to configurable '(\w+)'")
_CALLER_AND_TARGET = re.compile(r"In call to configurable '(\w+)' \(<(?:class|function) '?([\w.]+)")
_MISSING = re.compile(r'missing \d+ required .*?arguments?: (.+)')


def syntax_error(error: Exception, text: str, name: str) -> str:
    """Explains why a text cannot be parsed.

    Args:
      error: the `SyntaxError` or `tokenize.TokenError` of Gin's parser.
      text: the whole text.
      name: the file that the text is from, or `COMMAND_LINE`.

    Returns:
      The message: the place, the line as written, and what to write instead.
    """
    lines = text.splitlines() or ['']
    number = _line_number(error)
    line = lines[min(number, len(lines)) - 1].strip()
    word = _BARE_WORD.match(line)
    advice = _alternatives(word) if word else f'this cannot be read: {_reason(error)}.'
    if name != COMMAND_LINE:
        return f'{name}:{number}: {line}\n  {advice}'
    statement = _corrected(word) if word else 'STEPS = 100'
    write = 'In a shell' if word else 'Write a binding, such as'
    return f'{name}: {text.strip()!r}: {advice} {write}: {name}={shlex.quote(statement)}'


def _line_number(error: Exception) -> int:
    return (error.lineno if isinstance(error, SyntaxError) else error.args[1][0]) or 1


def _reason(error: Exception) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error.args[0])
    return message.splitlines()[0].rstrip('.')


def _alternatives(bare: re.Match[str]) -> str:
    """Lists what a word without a mark may stand for."""
    word, call = bare['word'], bare['call'] or ''
    constant = word.capitalize()
    choices = [constant] if constant in ('True', 'False', 'None') else []
    choices += [f"'{word}' for a string", f'@{word}{call} for a class or function', f'%{word} for a macro']
    return f'{word}{call} is not a value. Write ' + ', or '.join(choices) + '.'


def _corrected(bare: re.Match[str]) -> str:
    """Returns the statement with its word as a string, or as a reference if it is called."""
    value = f'@{bare["word"]}()' if bare['call'] else f"'{bare['word']}'"
    return f'{bare["key"]} = {value}'


@contextmanager
def explained() -> Iterator[None]:
    """Turns what Gin raises inside, for a missing or a refused value, into a `UserError`.

    Errors that no configurable class or function raised pass unchanged.
    """
    try:
        yield
    except UserError as mistake:
        raise UserError(_without_callers(mistake)) from None
    except (ValueError, ArithmeticError, TypeError) as error:
        message = _missing_value(error) if isinstance(error, TypeError) else _refused_value(error)
        if not message:
            raise
        raise UserError(message) from None


def _without_callers(error: Exception) -> str:
    return str(error).partition(_GIN_CALL)[0]


def _refused_value(error: Exception) -> str:
    """Explains an error by which a class or function refuses its values; returns '' for other errors."""
    caller = _CALLER.search(str(error))
    if not caller:
        return ''
    frame = traceback.extract_tb(error.__traceback__)[-1]
    reason = _without_callers(error).strip()
    place = f'{Path(frame.filename).name}:{frame.lineno}'
    return f'{caller[1]} cannot be built: {reason} (raised at {place}).'


def _missing_value(error: TypeError) -> str:
    """Explains an error about missing arguments; returns '' for other errors."""
    missing, caller = _MISSING.search(str(error)), _CALLER_AND_TARGET.search(str(error))
    if not (missing and caller):
        return ''
    names = re.findall(r"'(\w+)'", missing[1])
    lines = ' and '.join(f'`{caller[1]}.{name} = ...`' for name in names)
    return f'{caller[2]} needs a value for {", ".join(names)}: bind {lines} in your config.'
