"""Labels as a list: a CSV file with a row per example, its `id`, and its label, numbers or file."""

import csv
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UserError
from engine.evaluation import kind_evaluation
from engine.evaluation.labels.label_table import ID, LabelTable
from engine.outputs.kind import Arrays
from engine.outputs.outputs import Outputs


def read(path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
    """Reads a list, such as a dataset's in the workspace. The kind says which columns it reads.

    Raises:
      UserError: the list, or a label, number or file in it, is not valid.
    """
    table = LabelTable(path, _columns(path))
    return table.column(ID), kind_evaluation.load(outputs.kind).read_list(table, outputs)


def _columns(path: Path) -> dict[str, list[str]]:
    """Returns the cells of each column."""
    try:
        with path.open(newline='', encoding='utf-8-sig') as file:
            header, *lines = list(csv.reader(file, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f'{path} cannot be read as CSV in UTF-8: {error}.') from error
    lines = [line for line in lines if line]
    ragged = next((line for line in lines if len(line) != len(header)), None)
    if ragged:
        raise UserError(f'{path}: the row {",".join(ragged)!r} has {len(ragged)} cells, not {len(header)}.')
    if len(set(header)) < len(header):
        raise UserError(f'{path}: two columns have the same name: {", ".join(header)}.')
    if not lines:
        raise UserError(f'{path} lists no examples.')
    return dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))
