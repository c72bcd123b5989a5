"""The only reader of a saved config.gin. It reads text, so it imports none of the code that a config names.

Observers and profiles watch a training and do not change it. Their parameters therefore do not count: they
are neither a difference between two configs nor part of a method.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.run_reader import statements
from engine.run_reader.folds import HeldOutFold, held_out

_IMPORT = re.compile(r'(?:from +(?P<package>[\w.]+) +)?import +(?P<module>[\w.]+)(?: +as +(?P<alias>\w+))?')
_TRAINER = r'(.*[./])?Trainer\.'
_SEED = re.compile(_TRAINER + 'seed')
_DATASET = re.compile(_TRAINER + 'dataset')
_OBSERVERS = re.compile(_TRAINER + '(observers|profile)')


@dataclass(frozen=True)
class Settings:
    """The parameters of a config, without its observers.

    Attributes:
      written: parameter to value as written, without the seed and the fold.
      values: parameter to value with macros replaced, except those of seed and fold; without both.
      macros: macro to value as written, without those of seed and fold.
      seed: the seed of the training, '' if there is none.
      fold: the fold that the run is tested on, by `Fold.fold` and `Fold.folds` of its dataset; None if the
        dataset is not divided, or if it is made of several different folds.
    """

    written: Mapping[str, str]
    values: Mapping[str, str]
    macros: Mapping[str, str]
    seed: str
    fold: HeldOutFold | None = None

    def trainer(self, parameter: str) -> str:
        """Returns the value of a parameter of the trainer as written in the config, '' if there is none.

        >>> parse("trainer.Trainer.best = ('accuracy', 'max')").trainer('best')
        "('accuracy', 'max')"
        """
        name = re.compile(_TRAINER + re.escape(parameter))
        return next((value for key, value in self.values.items() if name.fullmatch(key)), '')

    def trainer_count(self, parameter: str) -> int | None:
        """Returns a whole number among the parameters of the trainer, None if there is none."""
        value = self.trainer(parameter)
        return int(value) if re.fullmatch('[0-9]{1,15}', value) else None

    @property
    def best(self) -> tuple[str, str]:
        """The metric that chooses the best checkpoint, and its direction; ('', '') if none does."""
        names = re.findall(r"'([^']+)'", self.trainer('best'))
        return (names[0], names[1]) if len(names) == 2 else ('', '')


def parse(text: str) -> Settings:
    r"""Reads an operative config, as a run saves it: one statement per parameter.

    >>> settings = parse('STEPS = 100\ntrainer.Trainer.steps = %STEPS\ntrainer.Trainer.seed = 3')
    >>> settings.values, settings.seed
    ({'trainer.Trainer.steps': '100'}, '3')
    """
    written, macros = statements.split(_without_observers(statements.read(text)))
    fold, folds = held_out(_of_dataset(written, macros))
    seeds = [name for name in written if _SEED.fullmatch(name)]
    seed = statements.replaced(written[seeds[0]], macros) if seeds else ''
    of_one_run = [written.pop(name) for name in (*seeds, *folds)]
    macros = {name: value for name, value in macros.items() if f'%{name}' not in of_one_run}
    values = {name: statements.replaced(value, macros) for name, value in written.items()}
    return Settings(written, values, macros, seed, fold)


def _of_dataset(written: Mapping[str, str], macros: Mapping[str, str]) -> dict[str, str]:
    """Returns the parameters of all that the trainer's dataset is made of, with macros replaced."""
    datasets = {value for name, value in written.items() if _DATASET.fullmatch(name)}
    used = statements.reachable(datasets, {**written, **macros})
    return {
        name: statements.replaced(value, macros)
        for name, value in written.items()
        if statements.owner(name) in used
    }


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
    stated = statements.read(text)
    needed, written = (_owners(parts) for parts in (_without_observers(stated), stated))
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


def _owners(stated: Mapping[str, str]) -> set[str]:
    """Returns what statements bind or refer to."""
    return {statements.owner(name) for name in stated} | {
        name for value in stated.values() for name in statements.names(value)
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
    written, macros = statements.split(_without_observers(statements.read(text)))
    return {name: _canonical(statements.replaced(value, macros)) for name, value in written.items()}


def _canonical(value: str) -> str:
    """Returns a literal as Python writes it: line breaks and quotes make no difference."""
    try:
        return repr(ast.literal_eval(value))
    except (ValueError, SyntaxError, MemoryError, RecursionError):  # references, or a damaged file
        return value


# Observers.


def _without_observers(stated: Mapping[str, str]) -> dict[str, str]:
    """Leaves out the trainer's observers, and the parameters and macros that only they use."""
    observers = {value for name, value in stated.items() if _OBSERVERS.fullmatch(name)}
    others = {name: value for name, value in stated.items() if not _OBSERVERS.fullmatch(name)}
    theirs = statements.reachable(observers, others)
    kept = {value for name, value in others.items() if statements.owner(name) not in theirs}
    needed = statements.reachable(kept, others)
    return {name: value for name, value in others.items() if statements.owner(name) not in theirs - needed}
