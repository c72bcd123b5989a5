"""Labels of several classes, read from the cells of a list."""

from collections.abc import Sequence

import numpy as np

from engine.errors import UserError, did_you_mean
from engine.evaluation.submissions import class_names
from engine.kinds.multilabel import MISSING, SEPARATOR, scores_of
from engine.lists import ListRow, ListTable
from engine.outputs.outputs import Outputs

_VALUES = {'1': 1, '1.0': 1, '0': 0, '0.0': 0, '-1': MISSING, '-1.0': MISSING, '': MISSING}
LISTS = ('labels', 'label')


def read(table: ListTable, outputs: Outputs) -> np.ndarray:
    """Reads a column per class of 1, 0, and -1 or nothing; or one column of names, such as `cat; dog`.

    Returns:
      int8 [rows, classes].

    Raises:
      UserError: a column of a class is missing, or a cell is not valid.
    """
    names = class_names(outputs, scores_of(outputs.arrays).shape[1])
    if not set(names) & set(table.columns) and set(LISTS) & set(table.columns):
        column = table.columns[table.index(*LISTS)]
        return np.array([_listed(row, column, names) for row in table.rows], np.int8)
    places = [table.index(name) for name in names]
    return np.array([_row(row, names, places) for row in table.rows], np.int8)


def _row(row: ListRow, names: Sequence[str], places: Sequence[int]) -> list[int]:
    cells = [row.cells[place] for place in places]  # empty cells are unknown labels here
    for name, cell in zip(names, cells, strict=True):
        if cell not in _VALUES:
            raise UserError(
                f'{row.place}: {cell!r} in the column {name!r} is not 1 (the example has the class), 0 (it '
                'does not), or -1 or nothing (unknown).'
            )
    return [_VALUES[cell] for cell in cells]


def _listed(row: ListRow, column: str, names: Sequence[str]) -> list[int]:
    cell = row.cells[row.table.index(column)]
    listed = {name.strip() for name in cell.split(SEPARATOR.strip())} - {''}
    listed = {cell} if cell in names else listed  # a name may hold the separator
    for name in sorted(listed - set(names)):
        raise UserError(
            f'{row.place}: {name!r} is not a class. {did_you_mean(name, names)} Names are separated by '
            'semicolons.'
        )
    return [int(name in listed) for name in names]
