"""Converts a table of predictions: a row per example, with its label, its prediction or a score per class."""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from engine.conversion import class_scores
from engine.conversion.converted import Converted, numbered
from engine.conversion.roles import find, origins, plain, unused
from engine.errors import UserError, did_you_mean
from engine.lists import ListTable

_SCORE = re.compile(r'(?:prob|probability|proba|p|logit|score)[ _.:-]+(.+)', re.IGNORECASE)
_SINGLE_SCORES = ('probability', 'prob', 'proba', 'score', 'y_score', 'y_prob', 'p')
_WHOLE = re.compile(r'[+-]?\d+')


def convert(table: ListTable, chosen: Mapping[str, str], class_names: Sequence[str], kind: str) -> Converted:
    """Converts a table.

    Args:
      table: the table.
      chosen: titles of the columns for the roles 'id', 'label' and 'prediction', where not the usual ones.
      class_names: names of the classes in the order of their indices, or () to take those in the table.
      kind: 'classification', 'regression' or '' to recognise it.

    Raises:
      UserError: a column is missing, or a cell is not valid; names file and line.
    """
    roles = find(table.path, table.columns, chosen)
    scores = _score_columns(table, roles, class_names)
    if not roles['prediction'] and not scores:
        raise UserError(
            f'{table.path} has neither predictions nor scores; its columns are: {", ".join(table.columns)}. '
            'Name the column with --column=prediction=TITLE, or call those of scores prob_<class>.'
        )
    ids = table.column(roles['id']) if roles['id'] else numbered(len(table.rows))
    kind = kind or ('classification' if scores else _kind(table, roles, class_names))
    notes = [
        f'kind: {kind}; --kind chooses another',
        *origins(roles, 'column'),
        *unused(table.columns, (*roles.values(), *(scores.values() if kind == 'classification' else ()))),
    ]
    if kind == 'regression':
        return Converted('regression', _numbers(table, roles), ids, (), notes)
    names, arrays, more = _classes(table, roles, scores, class_names)
    return Converted('classification', arrays, ids, names, [*notes, *more])


# Columns.


def _score_columns(
    table: ListTable, roles: Mapping[str, str | None], class_names: Sequence[str]
) -> dict[str, str]:
    """Returns class to the title of the column of its scores; {} if there are only hard labels.

    A single column holds the probability of the second of two classes. Its class is ''.
    """
    free = [title for title in table.columns if title and title not in roles.values()]
    matches = {match[1]: title for title in free if (match := _SCORE.fullmatch(title.strip()))}
    if len(matches) > 1:
        return matches
    values = {cell for title in (roles['label'],) if title for cell in table.column(title)}
    names = list(class_names) or [title for title in free if title in values]
    if len(names) > 1 and set(names) <= set(free) and values <= set(names):
        return {title: title for title in free if title in names}
    single = [title for title in free if plain(title) in _SINGLE_SCORES]
    return {'': single[0]} if len(single) == 1 and not roles['prediction'] else {}


def _kind(table: ListTable, roles: Mapping[str, str | None], class_names: Sequence[str]) -> str:
    """Returns the kind of a table without scores: numbers with fractions belong to a regression."""
    titles = [title for title in (roles['label'], roles['prediction']) if title]
    cells = [cell for title in titles for cell in table.column(title)]
    numbers = not class_names and all(_float(cell) is not None for cell in cells)
    return 'regression' if numbers and not all(map(_WHOLE.fullmatch, cells)) else 'classification'


# Regression.


def _numbers(table: ListTable, roles: Mapping[str, str | None]) -> dict[str, np.ndarray]:
    names = {'values': roles['prediction'], 'targets': roles['label']}
    return {
        name: _floats(table, title).astype(np.float32)[:, np.newaxis]
        for name, title in names.items()
        if title
    }


def _floats(table: ListTable, title: str) -> np.ndarray:
    """Returns the numbers of a column, f64 [n]."""
    values = [_float(cell) for cell in table.column(title)]
    row = next((row for row, value in enumerate(values) if value is None), None)
    if row is not None:
        cell = table.column(title)[row]
        hint = ' Write a point before the fraction.' if _float(cell.replace(',', '.')) is not None else ''
        place = table.rows[row].place
        raise UserError(f'{place}: {cell!r} in the column {title!r} is not a finite number.{hint}')
    return np.array(values, np.float64)


def _float(cell: str) -> float | None:
    """Returns the number that a cell holds; None if it holds none, or one that is not finite."""
    try:
        value = float(cell) if '_' not in cell else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


# Classification.


def _classes(
    table: ListTable,
    roles: Mapping[str, str | None],
    scores: Mapping[str, str],
    class_names: Sequence[str],
) -> tuple[Sequence[str], dict[str, np.ndarray], list[str]]:
    """Returns the names of the classes, the arrays and notes."""
    names, note = _names(table, roles, scores, class_names)
    labels = {'labels': _indices(table, roles['label'], names)} if roles['label'] else {}
    if not scores:
        predicted = _indices(table, roles['prediction'] or '', names)
        return names, {'predicted': predicted, **labels}, [note, 'Hard labels alone: no probabilities.']
    matrix = _matrix(table, scores, names)
    array, matrix, kind_note = class_scores.named(matrix)
    notes = [note, kind_note, *_disagreements(table, roles, names, matrix)]
    return names, {array: matrix.astype(np.float32), **labels}, notes


def _names(
    table: ListTable,
    roles: Mapping[str, str | None],
    scores: Mapping[str, str],
    class_names: Sequence[str],
) -> tuple[Sequence[str], str]:
    """Returns the names of the classes in order, and a note on their origin."""
    if class_names:
        if len(scores) > 1 and set(scores) != set(class_names):
            raise UserError(
                f'{table.path} has scores of {", ".join(scores)}; --classes names {", ".join(class_names)}.'
            )
        return class_names, ''
    if len(scores) > 1:
        return list(scores), f'classes in the order of their scores: {", ".join(scores)}'
    titles = [title for title in (roles['label'], roles['prediction']) if title]
    values = {cell for title in titles for cell in table.column(title)}
    whole = all(map(_WHOLE.fullmatch, values))
    names = sorted(values, key=int if whole else str)
    if len(names) < 2 or (scores and len(names) != 2):
        raise UserError(
            f'{table.path} has {len(names)} classes: {", ".join(names[:10])}. Name all with --classes.'
        )
    return names, f'{len(names)} classes, sorted: {", ".join(names[:10])}{", ..." * (len(names) > 10)}'


def _indices(table: ListTable, title: str | None, names: Sequence[str]) -> np.ndarray:
    """Returns the classes of a column of names, or of numbers of classes, int64 [n]."""
    cells = table.column(title or '')
    places = {name: index for index, name in enumerate(names)}
    if not set(cells) <= set(places) and all(map(_WHOLE.fullmatch, cells)):
        places = {str(index): index for index in range(len(names))}
    row = next((row for row, cell in enumerate(cells) if cell not in places), None)
    if row is not None:
        raise UserError(
            f'{table.rows[row].place}: {cells[row]!r} in the column {title!r} is not a class. '
            f'{did_you_mean(cells[row], names)}'
        )
    return np.array([places[cell] for cell in cells], np.int64)


def _matrix(table: ListTable, scores: Mapping[str, str], names: Sequence[str]) -> np.ndarray:
    """Returns the scores, f64 [n, classes]."""
    if '' not in scores:
        return np.stack([_floats(table, scores[name]) for name in names], axis=1)
    second = _floats(table, scores[''])
    odd = np.flatnonzero((second < 0) | (second > 1))
    if odd.size:
        raise UserError(
            f'{table.rows[odd[0]].place}: {second[odd[0]]:g} is not a probability of the class {names[1]!r}. '
            'Give a column of scores for each class.'
        )
    return np.stack([1 - second, second], axis=1)


def _disagreements(
    table: ListTable, roles: Mapping[str, str | None], names: Sequence[str], matrix: np.ndarray
) -> list[str]:
    """Returns a note if the column of predictions names other classes than those of the largest scores."""
    if not roles['prediction']:
        return []
    different = int((_indices(table, roles['prediction'], names) != matrix.argmax(axis=1)).sum())
    if not different:
        return []
    return [
        f'{different} of {len(matrix)} predictions are not the class with the largest score. The scores '
        f'count; to evaluate the column {roles["prediction"]!r}, leave out the scores.'
    ]
