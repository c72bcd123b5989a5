"""The statements of a saved config.gin: parameters, macros, and what their values refer to."""

import re
from collections.abc import Mapping
from functools import lru_cache

_STATEMENT = re.compile(r'([\w./]+)\s*=(.*)', re.DOTALL)
# A string, which holds neither macros nor references; or one of these.
_NAME = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|%(?P<macro>[\w./]+)|@(?P<reference>[\w./]+)""")
_MAX_NESTING = 3  # macros within macros are replaced up to this depth, so that a circular one ends


def read(text: str) -> dict[str, str]:
    """Returns parameters and macros, and their values as written. Indented lines continue the line before."""
    lines = [line.rstrip('\\ ') for line in text.splitlines() if not line.startswith('#')]
    joined = re.sub(r'\n\s+', ' ', '\n'.join(filter(None, lines)))
    matches = filter(None, map(_STATEMENT.fullmatch, joined.split('\n')))
    return {match[1]: match[2].strip() for match in matches}


def split(statements: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the parameters and the macros."""
    parameters = {name: value for name, value in statements.items() if '.' in name}
    return parameters, {name: value for name, value in statements.items() if '.' not in name}


def replaced(value: str, macros: Mapping[str, str]) -> str:
    """Returns a value with macros replaced by theirs."""

    def replace(match: re.Match[str]) -> str:
        return macros.get(match['macro'] or '', match[0])

    for _ in range(_MAX_NESTING):
        value = _NAME.sub(replace, value)
    return value


def reachable(values: set[str], statements: Mapping[str, str]) -> set[str]:
    """Returns the macros, classes and functions to which values refer, directly or through statements."""
    known: set[str] = set()
    while values:
        new = {name for value in values for name in names(value)} - known
        known |= new
        values = {value for name, value in statements.items() if owner(name) in new}
    return known


def names(value: str) -> set[str]:
    """Returns the macros, classes and functions that a value names."""
    matches = list(_NAME.finditer(value))
    macros = {match['macro'] for match in matches if match['macro']}
    return macros | {_without_scope(match['reference']) for match in matches if match['reference']}


@lru_cache(maxsize=10_000)
def owner(name: str) -> str:
    """Returns the macro itself, or the class or function of a parameter, whatever the scope."""
    return _without_scope(name).rpartition('.')[0] or name


def _without_scope(selector: str) -> str:
    return selector.rpartition('/')[2]
