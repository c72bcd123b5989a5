"""A number for each training example, such as its weight: from a field of the data, or from a list."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine import files, lists
from engine.datasets.orders.order import Part
from engine.datasets.reading.dataset import Dataset
from engine.errors import UserError
from engine.lists import ListRow
from engine.parts.orders import fields
from engine.paths import expanded
from engine.workspace import located

ID = 'id'


@dataclass(frozen=True)
class Numbers:
    """Where the numbers of the examples are.

    Args:
      order: the order that needs them, for messages.
      name: what they are, such as 'weight'; the column of the list that holds them.
      field: the field that holds them; '' if `file` is given.
      file: the list that holds them; '' if `field` is given.
      least: the smallest number allowed.
    """

    order: str
    name: str
    field: str
    file: str
    least: float = -math.inf

    def __post_init__(self) -> None:
        """Raises `UserError` unless either a field or a list is given."""
        if self.field and self.file:
            raise UserError(f'{self.order}.field and {self.order}.file are both bound. Bind one of them.')
        if not self.field and not self.file:
            raise UserError(
                f'{self.order} needs a {self.name} for each example: bind `{self.order}.field`, a field of '
                f'the data, or `{self.order}.file`, a list such as CSV with the columns {ID},{self.name}.'
            )

    @property
    def source(self) -> str:
        """The setting that names the field or the list, for messages."""
        return f'{self.order}.field = {self.field!r}' if self.field else f'{self.order}.file = {self.file!r}'

    def origin(self) -> dict[str, str]:
        """Returns the sha256 of the list by its name, {} without one."""
        return {self.file: files.sha256(self._path)} if self.file else {}

    def of(self, part: Part) -> np.ndarray:
        """Returns the number of each example of a part, float64 [n].

        Raises:
          UserError: a number is missing, not finite or too small; or the list names an unknown id, or one
            twice.
        """
        if self.file:
            return self._from_list(part)
        values = fields.one_per_example(part, self.field, f'{self.order}.field').astype(np.float64)
        wrong = ~np.isfinite(values) | (values < self.least)
        if wrong.any():
            first = int(np.argmax(wrong))
            where = f'{part.examples.ids[first]!r} of {part.title}: the field {self.field!r}'
            raise UserError(f'{where} {self._problem(values[first])}{_others(int(wrong.sum()) - 1)}')
        return values

    @property
    def _path(self) -> Path:
        path = located(expanded(self.file))
        if not path.is_file():
            what = 'is not a file' if path.exists() else 'does not exist'
            raise UserError(f'{self.source}: {path} {what}.{files.nearest_sibling(path)}')
        return path

    def _from_list(self, part: Part) -> np.ndarray:
        rows = {row[ID]: row for row in _without_repetitions(lists.read(self._path, ID, self.name).rows)}
        values = {identity: self._parsed(row) for identity, row in rows.items()}
        _check_known(rows, part)
        missing = [identity for identity in part.examples.ids if identity not in values]
        if missing:
            raise UserError(
                f'{self._path}: there is no {self.name} for {missing[0]!r} of {part.title}.'
                f'{_others(len(missing) - 1)} Add a row for each training example.'
            )
        return np.array([values[identity] for identity in part.examples.ids])

    def _parsed(self, row: ListRow) -> float:
        try:
            value = float(row[self.name])
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < self.least:
            raise UserError(f'{row.place}: the {self.name} of {row[ID]!r} {self._problem(row[self.name])}')
        return value

    def _problem(self, value: float | str) -> str:
        least = f' of at least {self.least:g}' if math.isfinite(self.least) else ''
        return f'is {value}, but a finite number{least} is needed.'


def _others(count: int) -> str:
    """Returns that more examples have a mistake, '' if none has."""
    return f' The same holds for {count:,} other{"s" if count > 1 else ""}.' if count else ''


def _without_repetitions(rows: Sequence[ListRow]) -> Iterator[ListRow]:
    """Yields rows. Raises `UserError` if two have the same id."""
    first: dict[str, ListRow] = {}
    for row in rows:
        if first.setdefault(row[ID], row) is not row:
            raise UserError(
                f'{row.place}: the id {row[ID]!r} is already in line {first[row[ID]].line}. Remove one of '
                'these rows.'
            )
        yield row


def _check_known(rows: Mapping[str, ListRow], part: Part) -> None:
    """Raises `UserError` if a list names an id that the dataset has in no split."""
    others = rows.keys() - set(part.examples.ids)
    if others and (unknown := others - _ids(part.dataset)):
        row = next(row for identity, row in rows.items() if identity in unknown)
        raise UserError(
            f'{row.place}: {part.dataset.name} has no example {row[ID]!r}; its ids are such as '
            f'{part.examples.ids[0]!r}.{_others(len(unknown) - 1)}'
        )


def _ids(dataset: Dataset) -> set[str]:
    """Returns the ids of all splits of a dataset, and of the datasets that it is made of."""
    own = {identity for split in dataset.splits for identity in dataset.split(split).ids}
    return own.union(*map(_ids, dataset.made_of))
