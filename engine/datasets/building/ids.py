"""Checks the ids of a dataset when it is built: each names one example, in one line of plain text."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import UserError

Original = tuple[str, Path, Any]  # id, file, label or the file of the mask

_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


class IdCheck:
    """Takes the ids of a dataset one after another. Files of ids have a line for each, and order decides.

    There may be millions of ids. It keeps a number for each, and the place of an id is described only in
    messages.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._parts: list[tuple[int, Callable[[int], str]]] = []
        self._count = 0

    def begin(self, describe: Callable[[int], str]) -> None:
        """Begins a split.

        Args:
          describe: returns where the id of a row of this split comes from, for messages.
        """
        self._parts.append((self._count, describe))

    def add(self, identity: Any) -> None:
        """Takes the id of the next row.

        Raises:
          UserError: it is not one line of plain text, or names an example before.
        """
        number, self._count = self._count, self._count + 1
        if problem := _problem(identity):
            raise UserError(
                f'{self._place(number)}: the id {identity!r} {problem}. An id is one line of plain text.'
            )
        if (first := self._numbers.setdefault(identity, number)) != number:
            raise UserError(
                f'{self._place(number)}: the id {identity!r} occurs before, in {self._place(first)}. Each id '
                'names one example of the dataset. If both are the same example, remove one of them.'
            )

    def _place(self, number: int) -> str:
        start, describe = [part for part in self._parts if part[0] <= number][-1]
        return describe(number - start)


def check(originals: Mapping[str, Sequence[Original]]) -> None:
    """Checks the ids of the examples that a builder lists. Raises `UserError` for the first fault."""
    known = IdCheck()
    for split, rows in originals.items():
        known.begin(partial(_described, split, rows))
        for identity, *_ in rows:
            known.add(identity)


def _described(split: str, rows: Sequence[Original], row: int) -> str:
    return f'{split} ({rows[row][1]})'


def remarks(identities: Iterable[str]) -> Iterator[str]:
    """Yields a sentence if two ids look the same: they differ only in their normal form of Unicode."""
    first: dict[str, str] = {}
    for identity in identities:
        if identity.isascii():
            continue
        other = first.setdefault(unicodedata.normalize('NFC', identity), identity)
        if other != identity:
            yield f'the ids {other!a} and {identity!a} look alike: they differ in normal form alone'
            return


def _problem(identity: Any) -> str:
    """Returns what is wrong with an id, '' if nothing is."""
    if not isinstance(identity, str):
        return f'is {type(identity).__name__}, not text'
    if not identity.strip():
        return 'is empty'
    if control := _CONTROL.search(identity):
        return f'holds the control character {control[0]!r}'
    return 'begins or ends with a space' if identity != identity.strip() else ''
