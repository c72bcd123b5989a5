"""Checks the ids of an outputs folder."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UserError
from engine.outputs.contents import IDS
from engine.render.escape import CONTROL


def check_ids(folder: Path, ids: Sequence[str]) -> None:
    """Raises `UserError` unless there are ids, each one line of text, and all different."""
    if not len(ids):
        raise UserError(f'{folder}: {IDS}: there are no examples.')
    are_texts = all(isinstance(identity, str) and identity for identity in ids)
    if not are_texts or CONTROL.search('|'.join(ids)):  # at once, because there may be a million
        _refuse_first(folder, ids)
    if len(set(ids)) < len(ids):
        duplicate = next(identity for identity, count in Counter(ids).items() if count > 1)
        raise UserError(f'{folder}: {IDS}: {duplicate!r:.100} occurs twice. Ids must be unique.')


def _refuse_first(folder: Path, ids: Sequence[str]) -> None:
    for identity in ids:
        if not isinstance(identity, str) or not identity or CONTROL.search(identity):
            raise UserError(
                f'{folder}: {IDS}: {identity!r:.100} is not an id. An id is one line of text, not empty.'
            )
