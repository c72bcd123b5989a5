"""Classes, numbers and images, read from the cells of a list of labels."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError, did_you_mean, nearest
from engine.evaluation.labels.label_lists import ID
from engine.lists import ListRow, ListTable
from engine.outputs.outputs import Outputs
from engine.outputs.pictures import png
from engine.outputs.pictures.sequence import Pictures

_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?', re.ASCII)

# Classes.


def read_classes(table: ListTable, outputs: Outputs) -> np.ndarray:
    """Reads the column `label`: names of classes, or their indices unless a class is named like an index.

    Returns:
      int32 [rows].

    Raises:
      UserError: a label is not a class of the outputs.
    """
    cells = table.column('label')
    places = {name: index for index, name in enumerate(outputs.class_names)}
    indices = {str(index): index for index in range(outputs.classes or 0)}
    named = sum(cell in places for cell in cells)
    if not any(name in indices for name in places) and sum(cell in indices for cell in cells) > named:
        places = indices
    unknown = [row for row in table.rows if row['label'] not in places]
    if unknown:
        raise UserError(_unknown_label(unknown, outputs, len(indices)))
    return np.array([places[cell] for cell in cells], np.int32)


def _unknown_label(unknown: Sequence[ListRow], outputs: Outputs, classes: int) -> str:
    example, label = unknown[0][ID], unknown[0]['label']
    more = f' ({len(unknown)} such labels)' if len(unknown) > 1 else ''
    if not outputs.class_names:
        advice = f'The outputs name no classes, so labels are indices, 0 to {classes - 1}.'
    elif nearest(label, outputs.class_names):
        advice = did_you_mean(label, outputs.class_names)
    else:
        shown = ', '.join(outputs.class_names[:10]) + ', ...' * (len(outputs.class_names) > 10)
        advice = f'The classes are {shown}.'
    return (
        f'{unknown[0].place}: {label!r}, the label of {example!r}, is not a class of {outputs.folder}{more}. '
        f'{advice}'
    )


# Numbers.


def read_numbers(table: ListTable, outputs: Outputs, width: int) -> np.ndarray:
    """Reads the column `target`, or the columns `target_0`, `target_1`, ...

    Args:
      table: the list.
      outputs: the outputs, for messages.
      width: number of numbers per example.

    Returns:
      f32 [rows, width].

    Raises:
      UserError: a column is missing or superfluous, or a cell is not a finite number.
    """
    names = [('target', 'target_0')] if width == 1 else [(f'target_{index}',) for index in range(width)]
    if f'target_{max(width, 1)}' in table.columns:
        raise UserError(
            f'{table.path} has a column target_{max(width, 1)}, but {outputs.folder} predicts {width} '
            'numbers.'
        )
    columns = [table.columns[table.index(*alternatives)] for alternatives in names]
    rows = [[_number(row, column) for column in columns] for row in table.rows]
    return np.array(rows, np.float32).reshape(len(rows), width)


def _number(row: ListRow, column: str) -> np.float32:
    with np.errstate(over='ignore'):
        number = np.float32(row[column] if _NUMBER.fullmatch(row[column]) else 'nan')
    if not np.isfinite(number):
        raise UserError(
            f'{row.place}: {row[column]!r}, a target of {row[ID]!r}, is not a finite number such as -1.5e3.'
        )
    return number


# Images.


def read_images(table: ListTable, names: Sequence[str], predicted: Any) -> Any:
    """Reads PNG files, named by the first of these columns that exists.

    Args:
      table: the list.
      names: of the columns.
      predicted: what they are compared with, [n, h, w] or [n, h, w, c], or `Pictures`.

    Returns:
      An array [rows, h, w] or [rows, h, w, c] of the dtype of `predicted`, or `Pictures`.

    Raises:
      UserError: a file cannot be read, or has another shape or dtype.
    """
    files = [table.path.parent / file for file in table.column(*names)]
    ids, shape = table.column(ID), predicted.shape[1:]
    if isinstance(predicted, Pictures):
        sizes = [_size(file, example) for file, example in zip(files, ids, strict=True)]
        return Pictures(
            lambda row: _image(files[row], ids[row], shape, predicted.dtype),
            np.array(sizes),
            predicted.dtype,
            predicted.channels,
        )
    images = np.empty((len(files), *shape), predicted.dtype)
    for index, (file, example) in enumerate(zip(files, ids, strict=True)):
        images[index] = _image(file, example, shape, predicted.dtype)
    return images


def _image(path: Path, example: str, shape: Sequence[int | None], dtype: np.dtype) -> np.ndarray:
    """Returns the pixels of a file. Where the shape is None, any length fits."""
    where = f'{path}, of example {example!r},'
    pixels = png.decode(_content(path, where), where, len(shape) == 2)
    fits = len(shape) == pixels.ndim and all(
        side in (None, actual) for side, actual in zip(shape, pixels.shape, strict=True)
    )
    is_narrow_mask = len(shape) == 2 and np.can_cast(pixels.dtype, dtype)  # few of many classes
    if not fits or (pixels.dtype != dtype and not is_narrow_mask):
        needed = ', '.join('any' if side is None else str(side) for side in shape)
        raise UserError(
            f'{where} holds {pixels.dtype} {list(pixels.shape)}, but {dtype} [{needed}] is predicted.'
        )
    return pixels.astype(dtype, copy=False)


def _size(path: Path, example: str) -> tuple[int, int]:
    where = f'{path}, of example {example!r},'
    header = png.PngHeader.of(_content(path, where, png.HEADER_BYTES), where)
    return header.height, header.width


def _content(path: Path, where: str, most: int = -1) -> bytes:
    try:
        with path.open('rb') as file:
            return file.read(most)
    except OSError as error:
        raise UserError(f'{where} cannot be read: {error}.') from error
