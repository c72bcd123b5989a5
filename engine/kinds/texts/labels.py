"""Reference texts from a file beside the outputs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.kinds.texts import stored
from engine.lists import ListTable
from engine.outputs.kind import Arrays

_FIRST = ('reference', 'text', 'reference_0')


def from_list(table: ListTable) -> Arrays:
    """Reads the references of a list: the first column of `reference`, `text`, and `reference_1` and so on.

    An empty cell of a further reference is none; that of the first one is an empty text.
    """
    first = table.index(*_FIRST)
    further = [
        index
        for index, name in enumerate(table.columns)
        if name.startswith('reference_') and index != first and name.removeprefix('reference_').isdigit()
    ]
    return arrays([[row.cells[first], *filter(None, (row.cells[k] for k in further))] for row in table.rows])


def from_json(path: Path) -> tuple[Sequence[str], Arrays]:
    """Reads an object that maps ids to a text or to a list of texts, or lines of {"id": ..., "text": ...}.

    Raises:
      UserError: the file is not such JSON.
    """
    try:
        content = path.read_text(encoding='utf-8')
        known = _lines(content) if path.suffix.lower() == '.jsonl' else json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f'--labels={path}: not JSON in UTF-8: {error}.') from error
    if not isinstance(known, dict) or not known:
        raise UserError(f'--labels={path}: give an object that maps each id to a text or to a list of texts.')
    for name, texts in known.items():
        if not isinstance(texts, str) and not (isinstance(texts, list) and all(map(_is_text, texts))):
            raise UserError(
                f'--labels={path}: {name!r:.100} has {texts!r:.100}, which is not a text or a list of texts.'
            )
    return list(known), arrays([[texts] if isinstance(texts, str) else texts for texts in known.values()])


def arrays(references: Sequence[Sequence[str]]) -> Arrays:
    """Returns the arrays of the references of each example."""
    data, lengths = stored.store(text for texts in references for text in texts)
    owners = np.repeat(np.arange(len(references), dtype=np.int32), list(map(len, references)))
    return {'references': data, 'reference_lengths': lengths, 'reference_example': owners}


def _lines(content: str) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for number, line in enumerate(filter(str.strip, content.split('\n')), 1):
        row = json.loads(line)
        if not isinstance(row, dict) or not _is_text(row.get('id')) or row['id'] in known:
            raise ValueError(f'line {number} has no id of its own')
        known[row['id']] = row.get('references', row.get('reference', row.get('text')))
    return known


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
