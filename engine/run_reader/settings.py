"""What a run was bound to: its config.gin read as text, so that no code that it names is imported."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_STATEMENT = re.compile(r'([\w./]+)\s*=(.*)', re.DOTALL)
_SEED = re.compile(r'(.*\.)?Trainer\.seed')
# Text in quotes, which holds no macros, or a macro.
_MACRO = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|%([\w./]+)""")
_NESTING = 3  # how often a macro may stand for another one; beyond it stays as written


@dataclass(frozen=True)
class Settings:
    """What a config says.

    Attributes:
      written: each parameter and its value as written, without that of the seed.
      values: the same with macros replaced by theirs, but for the macro of the seed.
      macros: each macro and its value as written, without that of the seed.
      seed: of the training, or ''.
    """

    written: Mapping[str, str]
    values: Mapping[str, str]
    macros: Mapping[str, str]
    seed: str


def parse(text: str) -> Settings:
    """Reads an operative config, as a run saves it: one statement per parameter."""
    statements = dict(_statements(text))
    macros = {name: value for name, value in statements.items() if '.' not in name}
    written = {name: value for name, value in statements.items() if '.' in name}
    seeds = [written.pop(name) for name in list(written) if _SEED.fullmatch(name)]
    seed = _replaced(seeds[0], macros) if seeds else ''
    macros = {name: value for name, value in macros.items() if f'%{name}' not in seeds}
    values = {name: _replaced(value, macros) for name, value in written.items()}
    return Settings(written, values, macros, seed)


def differences(found: Sequence[Settings | None]) -> dict[str, list[str]]:
    """Returns what differs between configs.

    A macro that all have stands for the parameters that it reaches: a sweep of one macro is one column.

    Args:
      found: the configs; None where there is none, which is no difference.

    Returns:
      Name to the value in each of `found`, '' where it has none.
    """
    bound = [each for each in found if each]
    columns = {}
    for name in dict.fromkeys(name for each in bound for name in each.macros):
        if all(name in each.macros for each in bound):
            columns[name] = [each.macros[name] if each else '' for each in found]
    for name in dict.fromkeys(name for each in bound for name in each.values):
        if len({each.written.get(name) for each in bound}) > 1:
            columns[name] = [each.values.get(name, '') if each else '' for each in found]
    return {name: values for name, values in columns.items() if _differ(values, found)}


def _differ(values: Sequence[str], found: Sequence[Settings | None]) -> bool:
    return len({value for value, each in zip(values, found, strict=True) if each}) > 1


def _statements(text: str) -> list[tuple[str, str]]:
    """Returns names and values. What is indented goes on with the line before."""
    lines = [line.rstrip('\\ ') for line in text.splitlines() if not line.startswith('#')]
    joined = re.sub(r'\n\s+', ' ', '\n'.join(filter(None, lines)))
    found = filter(None, map(_STATEMENT.fullmatch, joined.split('\n')))
    return [(each[1], each[2].strip()) for each in found]


def _replaced(value: str, macros: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        return macros.get(found[1] or '', found[0])

    for _ in range(_NESTING):
        value = _MACRO.sub(replace, value)
    return value
