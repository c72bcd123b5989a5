"""Checks the ids of a dataset when it is built: each names one example, in one line of plain text."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import UserError

Original = tuple[str, Path, Any]  # id, file, label or the file of the mask

_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


class IdCheck:
    """Takes the ids of a dataset one after another. Files of ids have a line for each, and order decides."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}

    def add(self, identity: Any, place: str) -> None:
        """Takes the next id.

        Args:
          identity: the id.
          place: where it comes from, for messages.

        Raises:
          UserError: it is not one line of plain text, or names an example before.
        """
        if problem := _problem(identity):
            raise UserError(f'{place}: the id {identity!r} {problem}. An id is one line of plain text.')
        if identity in self._places:
            raise UserError(
                f'{place}: the id {identity!r} occurs before, in {self._places[identity]}. Each id names one '
                'example of the dataset. If both are the same example, remove one of them.'
            )
        self._places[identity] = place


def check(originals: Mapping[str, Iterable[Original]]) -> None:
    """Checks the ids of the examples that a builder lists. Raises `UserError` for the first fault."""
    known = IdCheck()
    for split, rows in originals.items():
        for identity, path, *_ in rows:
            known.add(identity, f'{split} ({path})')


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
