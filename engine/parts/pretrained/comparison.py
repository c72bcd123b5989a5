"""Compares the variables of a source with those of a model: loaded, initialised, left out, or unfit."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import jax.numpy as jnp

from engine.errors import UserError, nearest
from engine.render import table
from engine.render.table import Table
from engine.stored_trees.on_devices import Shapes
from engine.variables import matching

MAX_LINES = 12  # of an error
TITLES = ('variable', 'shape', 'in the source', 'note')
ABSENT = 'not in the source'


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A source and a model, variable by variable.

    Attributes:
      source: shapes and dtypes of the source, by the names of the model.
      model: shapes and dtypes of the model.
      original: names in the source itself.
      only: the variables of the model that are wanted.
      missing: the variables of the model that may be initialised.
    """

    source: Shapes
    model: Shapes
    original: Mapping[str, str]
    only: frozenset[str]
    missing: frozenset[str]

    @cached_property
    def taken(self) -> list[str]:
        """The variables that are loaded."""
        return [path for path in self.model if path in self.only and not self._misfit(path)]

    @cached_property
    def left(self) -> list[str]:
        """The variables of the source that are not loaded."""
        taken = set(self.taken)
        return [path for path in self.source if path not in taken]

    @cached_property
    def unfit(self) -> dict[str, str]:
        """By path of a variable that must be loaded, the reason why it cannot be."""
        wanted = (path for path in self.model if path in self.only and path not in self.missing)
        return {path: reason for path in wanted if (reason := self._misfit(path))}

    def _misfit(self, path: str) -> str:
        """Returns why a variable of the model cannot be loaded, '' if it can."""
        if path not in self.source:
            return ABSENT
        stored, wanted = self.source[path], self.model[path]
        if stored.shape != wanted.shape:
            return f'{_shown(stored)} in the source'
        floats = [jnp.issubdtype(each.dtype, jnp.floating) for each in (stored, wanted)]
        if stored.dtype != wanted.dtype and not all(floats):
            return f'{_shown(stored)} in the source; only floats are cast to other floats'
        return ''

    def table(self) -> str:
        """Returns the table of all variables: loaded, initialised and left in the source."""
        groups = {
            '': [self._taken_row(path) for path in self.taken],
            'Initialised': [self._initialised_row(path) for path in self.model if path not in self.taken],
            'Left in the source': [self._left_row(path) for path in self.left],
        }
        return table.terminal_groups({name: Table.of(TITLES, rows) for name, rows in groups.items() if rows})

    def _taken_row(self, path: str) -> list[str]:
        stored, wanted = self.source[path].dtype, self.model[path].dtype
        note = f'cast from {stored}' if stored != wanted else ''
        return [path, _shown(self.model[path]), self._original(path), note]

    def _initialised_row(self, path: str) -> list[str]:
        note = self._misfit(path) if path in self.only else 'not in only'
        return [path, _shown(self.model[path]), '', note]

    def _left_row(self, path: str) -> list[str]:
        return ['', _shown(self.source[path]), self._original(path), '']

    def _original(self, path: str) -> str:
        return self.original.get(path, '(made by transform)')

    def check(self, place: object) -> None:
        """Raises `UserError` with what to write, if a variable cannot be loaded that must be, or none is."""
        if self.unfit:
            lines = [self._unfit_line(path, reason) for path, reason in self.unfit.items()]
            more = [f'and {len(lines) - MAX_LINES} more'] if len(lines) > MAX_LINES else []
            shown = '\n'.join(f'  {line}' for line in [*lines[:MAX_LINES], *more])
            raise UserError(
                f'{place} does not fit the model: {len(lines)} of its {len(self.only)} variables.\n{shown}\n'
                f'{self._advice()}'
            )
        if not self.taken:
            raise UserError(f'Nothing of {place} would be loaded. It holds {_listed(self.source)}.')

    def _unfit_line(self, path: str, reason: str) -> str:
        if reason != ABSENT:
            return f'{path}: {reason}, {_shown(self.model[path])} in the model'
        near = nearest(path, self.left, count=1)
        hint = f'. Nearest: {self._original(near[0])} {_shown(self.source[near[0]])}' if near else ''
        return f'{path} {_shown(self.model[path])}: {reason}{hint}'

    def _advice(self) -> str:
        change, found = self._renaming()
        advice = [f'Pretrained.rename = ({change!r},) would find {len(found)} of them.' if found else '']
        advice.append(self._transforming())
        rest = [path for path in self.unfit if path not in found]
        patterns = tuple(dict.fromkeys(self._pattern(path, found) for path in rest))
        if 0 < len(patterns) <= MAX_LINES:
            advice.append(f'To initialise what does not fit: Pretrained.missing = {patterns!r}.')
        advice.append(f'The source holds {_listed(self.left)}.' if self.left else '')
        return '\n'.join(filter(None, advice))

    def _renaming(self) -> tuple[tuple[str, str], set[str]]:
        """Returns the change of beginnings by which the most variables are found, and these variables."""
        absent = [path for path, reason in self.unfit.items() if reason == ABSENT]
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for path, stored in product(absent, self.left):
            change = _change(stored, path)
            if change and self.source[stored].shape == self.model[path].shape:
                found[change].add(path)
        old, new = max(found, key=lambda change: len(found[change]), default=('', ''))
        return ('^' + re.escape(old), new), found.get((old, new), set())

    def _transforming(self) -> str:
        is_pytorch = any(path.endswith(('/weight', '/running_mean')) for path in self.left)
        return (
            'Names such as weight are those of PyTorch: Pretrained.transform = @pretrained.PyTorch().'
            if is_pytorch
            else ''
        )

    def _pattern(self, path: str, found: Collection[str]) -> str:
        """Returns the shortest beginning of a path, as a pattern, that no variable has which fits."""
        fitting = [*self.taken, *found]
        parts = path.split('/')
        beginnings = ('/'.join(parts[:count]) + '/' for count in range(1, len(parts)))
        free = (start for start in beginnings if not any(other.startswith(start) for other in fitting))
        return '^' + re.escape(next(free, path))


def compared(
    source: Shapes, model: Shapes, original: Mapping[str, str], only: Iterable[str], missing: Iterable[str]
) -> Comparison:
    """Compares a source with a model.

    Args:
      source: shapes and dtypes of the source, by the names of the model.
      model: shapes and dtypes of the model.
      original: names in the source itself.
      only: patterns of the variables to load; all if there are none.
      missing: patterns of the variables that may be initialised.

    Raises:
      UserError: a pattern matches nothing.
    """
    wanted = matching(only, model, 'Pretrained.only')
    return Comparison(
        source=source,
        model=model,
        original=original,
        only=wanted or frozenset(model),
        missing=matching(missing, model, 'Pretrained.missing'),
    )


def _change(stored: str, path: str) -> tuple[str, str] | None:
    """Returns the beginnings by which two paths of the same ending differ; None without a common ending."""
    old, new = stored.split('/'), path.split('/')
    same = 0
    while same < min(len(old), len(new)) and old[-1 - same] == new[-1 - same]:
        same += 1
    if not same:
        return None
    starts = ['/'.join([*parts[: len(parts) - same], '']) for parts in (old, new)]
    return starts[0].removeprefix('/'), starts[1].removeprefix('/')


def _shown(shape: object) -> str:
    return f'{shape.dtype} {list(shape.shape)}'  # type: ignore[attr-defined]


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f' and {len(names) - MAX_LINES} more' if len(names) > MAX_LINES else ''
    return ', '.join(names[:MAX_LINES]) + more
