"""A sweep as a TOML file, whose keys are the flags of `scripts/sweep.sh`."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import files
from engine.errors import UserError, did_you_mean

TEXTS, NUMBERS = ('search', 'metric'), ('trials', 'seed', 'halving', 'parallel')
LISTS, VARY, RUNGS = ('gin_file', 'gin_bindings'), 'vary', 'rungs'
KEYS = (*LISTS, VARY, *TEXTS, *NUMBERS, RUNGS)


def read(path: Path) -> dict[str, Any]:
    """Returns the flags that a sweep file stands for, by name, with values as the command line has them.

    Raises:
      UserError: the file is missing, is not TOML, or has an unknown key or a value of the wrong type.
    """
    if not path.is_file():
        raise UserError(f'--sweep_file={path} does not exist.{files.nearest_sibling(path)}')
    try:
        values = tomllib.loads(path.read_text(encoding='utf-8'))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f'{path} is not TOML: {error}.') from None
    for name in values:
        if name not in KEYS:
            raise UserError(f'{path}: there is no {name!r}. {did_you_mean(name, KEYS)}')
    return {name: _flag(path, name, value) for name, value in values.items()}


def _flag(path: Path, name: str, value: Any) -> Any:
    if name == VARY:
        return [f'{axis}={_values(path, axis, each)}' for axis, each in _table(path, value)]
    if name in LISTS and isinstance(value, str | list) and all(isinstance(each, str) for each in value):
        return [value] if isinstance(value, str) else value
    if name in TEXTS and isinstance(value, str):
        return value
    if name in NUMBERS and _is_whole(value):
        return value
    if name == RUNGS and isinstance(value, list) and all(map(_is_whole, value)):
        return ','.join(map(str, value))
    wanted = 'a text' if name in TEXTS else 'a whole number' if name in NUMBERS else 'a list'
    raise UserError(f'{path}: {name} must be {wanted}{" of steps" * (name == RUNGS)}, not {value!r}.')


def _table(path: Path, value: Any) -> Sequence[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise UserError(f'{path}: vary must be a table: write [vary] in a line, and NAME = values below it.')
    return list(_flattened('', value))


def _flattened(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the entries of nested tables: TOML reads `mlp.MLP.width` without quotes as one in another."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(f'{prefix}{name}.', value)
        else:
            yield f'{prefix}{name}', value


def _values(path: Path, axis: str, value: Any) -> str:
    """Returns values as `--vary` takes them. A text is written there as it is here."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(each, str | int | float) for each in value):
        return ','.join(each if isinstance(each, str) else repr(each) for each in value)
    raise UserError(
        f"{path}: {axis} must be a list of numbers and texts, or a text as --vary takes it, such as '0..4', "
        f"'1e-4..1e-1:log' or '@optax.adam,@optax.sgd', not {value!r}."
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
