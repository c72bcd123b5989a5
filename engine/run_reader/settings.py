"""The only reader of a saved config.gin. It reads text, so it imports none of the code that a config names.

Observers watch a training and do not change it. Their parameters therefore do not count: they are neither a
difference between two configs nor part of a method.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_IMPORT = re.compile(r'(?:from +(?P<package>[\w.]+) +)?import +(?P<module>[\w.]+)(?: +as +(?P<alias>\w+))?')
_STATEMENT = re.compile(r'([\w./]+)\s*=(.*)', re.DOTALL)
_TRAINER = r'(.*[./])?Trainer\.'
_SEED = re.compile(_TRAINER + 'seed')
_OBSERVERS = re.compile(_TRAINER + 'observers')
# A string, which holds neither macros nor references; or one of these.
_NAME = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|%(?P<macro>[\w./]+)|@(?P<reference>[\w./]+)""")
_MAX_NESTING = 3  # macros within macros are replaced up to this depth, so that a circular one ends


@dataclass(frozen=True)
class Settings:
    """The parameters of a config, without its observers.

    Attributes:
      written: parameter to value as written, without the seed.
      values: parameter to value with macros replaced, except the macro of the seed; without the seed.
      macros: macro to value as written, without the macro of the seed.
      seed: the seed of the training, '' if there is none.
    """

    written: Mapping[str, str]
    values: Mapping[str, str]
    macros: Mapping[str, str]
    seed: str

    def trainer(self, parameter: str) -> str:
        """Returns the value of a parameter of the trainer as written in the config, '' if there is none.

        >>> parse("trainer.Trainer.best = ('accuracy', 'max')").trainer('best')
        "('accuracy', 'max')"
        """
        name = re.compile(_TRAINER + re.escape(parameter))
        return next((value for key, value in self.values.items() if name.fullmatch(key)), '')


def parse(text: str) -> Settings:
    r"""Reads an operative config, as a run saves it: one statement per parameter.

    >>> settings = parse('STEPS = 100\ntrainer.Trainer.steps = %STEPS\ntrainer.Trainer.seed = 3')
    >>> settings.values, settings.seed
    ({'trainer.Trainer.steps': '100'}, '3')
    """
    written, macros = _split(_without_observers(_statements(text)))
    seeds = [written.pop(name) for name in list(written) if _SEED.fullmatch(name)]
    seed = _replaced(seeds[0], macros) if seeds else ''
    macros = {name: value for name, value in macros.items() if f'%{name}' not in seeds}
    values = {name: _replaced(value, macros) for name, value in written.items()}
    return Settings(written, values, macros, seed)


def changes(old: str, new: str) -> dict[str, tuple[str, str]]:
    r"""Compares the values of two operative configs, however macros name them.

    Args:
      old: the text of the config of a run.
      new: the text of the config that is to resume it.

    Returns:
      Parameter to its old and new value, 'none' where a config lacks it. The seed counts; observers do not.

    >>> changes('trainer.Trainer.seed = 1', 'SEED = 2\ntrainer.Trainer.seed = %SEED')
    {'trainer.Trainer.seed': ('1', '2')}
    """
    before, after = _values(old), _values(new)
    names = sorted(before.keys() | after.keys())
    pairs = {name: (before.get(name, 'none'), after.get(name, 'none')) for name in names}
    return {name: (one, other) for name, (one, other) in pairs.items() if one != other}


def modules(text: str) -> list[str]:
    r"""Returns the modules that a config imports, without those that only its observers need.

    >>> modules('from research.models import mlp\nimport optax\nmlp.MLP.width = 2')
    ['research.models.mlp', 'optax']
    """
    statements = _statements(text)
    needed, written = (_owners(parts) for parts in (_without_observers(statements), statements))
    imports = [match for line in text.splitlines() if (match := _IMPORT.fullmatch(line.strip()))]
    names = {_local_name(match): _module(match) for match in imports if match['package'] != '__gin__'}
    return [
        module
        for name, module in names.items()
        if _is_used(name, needed) or not _is_used(name, written)  # an import may act by itself
    ]


def _local_name(imported: re.Match[str]) -> str:
    return imported['alias'] or imported['module']


def _module(imported: re.Match[str]) -> str:
    return '.'.join(filter(None, [imported['package'], imported['module']]))


def _owners(statements: Mapping[str, str]) -> set[str]:
    """Returns what statements bind or refer to."""
    return {_owner(name) for name in statements} | {
        name for value in statements.values() for name in _names(value)
    }


def _is_used(module: str, names: set[str]) -> bool:
    return any(name.startswith(f'{module}.') for name in names)


def differences(configs: Sequence[Settings | None]) -> dict[str, list[str]]:
    """Returns the columns of a table that tell configs apart.

    A macro that all configs define stands for the parameters that it reaches: a sweep of one macro is one
    column.

    Args:
      configs: the configs to compare. None stands for a missing config and differs from none.

    Returns:
      Macro or parameter to its value in each of `configs`, '' where there is none.
    """
    known = [config for config in configs if config]
    columns = {}
    for name in dict.fromkeys(name for config in known for name in config.macros):
        if all(name in config.macros for config in known):
            columns[name] = [config.macros[name] if config else '' for config in configs]
    for name in dict.fromkeys(name for config in known for name in config.values):
        if len({config.written.get(name) for config in known}) > 1:
            columns[name] = [config.values.get(name, '') if config else '' for config in configs]
    return {name: values for name, values in columns.items() if _differ(values, configs)}


def _differ(values: Sequence[str], configs: Sequence[Settings | None]) -> bool:
    return len({value for value, config in zip(values, configs, strict=True) if config}) > 1


def _values(text: str) -> dict[str, str]:
    """Returns each parameter, the seed too, and its value with macros replaced."""
    written, macros = _split(_without_observers(_statements(text)))
    return {name: _canonical(_replaced(value, macros)) for name, value in written.items()}


def _canonical(value: str) -> str:
    """Returns a literal as Python writes it: line breaks and quotes make no difference."""
    try:
        return repr(ast.literal_eval(value))
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # references, or a damaged file
        return value


def _statements(text: str) -> dict[str, str]:
    """Returns parameters and macros, and their values as written. Indented lines continue the line before."""
    lines = [line.rstrip('\\ ') for line in text.splitlines() if not line.startswith('#')]
    joined = re.sub(r'\n\s+', ' ', '\n'.join(filter(None, lines)))
    matches = filter(None, map(_STATEMENT.fullmatch, joined.split('\n')))
    return {match[1]: match[2].strip() for match in matches}


def _split(statements: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Returns the parameters and the macros."""
    parameters = {name: value for name, value in statements.items() if '.' in name}
    return parameters, {name: value for name, value in statements.items() if '.' not in name}


def _replaced(value: str, macros: Mapping[str, str]) -> str:
    """Returns a value with macros replaced by theirs."""

    def replace(match: re.Match[str]) -> str:
        return macros.get(match['macro'] or '', match[0])

    for _ in range(_MAX_NESTING):
        value = _NAME.sub(replace, value)
    return value


# Observers.


def _without_observers(statements: Mapping[str, str]) -> dict[str, str]:
    """Leaves out the trainer's observers, and the parameters and macros that only they use."""
    observers = {value for name, value in statements.items() if _OBSERVERS.fullmatch(name)}
    others = {name: value for name, value in statements.items() if not _OBSERVERS.fullmatch(name)}
    theirs = _reachable(observers, others)
    needed = _reachable({value for name, value in others.items() if _owner(name) not in theirs}, others)
    return {name: value for name, value in others.items() if _owner(name) not in theirs - needed}


def _reachable(values: set[str], statements: Mapping[str, str]) -> set[str]:
    """Returns the macros, classes and functions to which values refer, directly or through statements."""
    reachable: set[str] = set()
    while values:
        new = {name for value in values for name in _names(value)} - reachable
        reachable |= new
        values = {value for name, value in statements.items() if _owner(name) in new}
    return reachable


def _names(value: str) -> set[str]:
    """Returns the macros, classes and functions that a value names."""
    matches = list(_NAME.finditer(value))
    macros = {match['macro'] for match in matches if match['macro']}
    return macros | {_without_scope(match['reference']) for match in matches if match['reference']}


def _owner(name: str) -> str:
    """Returns the macro itself, or the class or function of a parameter, whatever the scope."""
    return _without_scope(name).rpartition('.')[0] or name


def _without_scope(selector: str) -> str:
    return selector.rpartition('/')[2]
