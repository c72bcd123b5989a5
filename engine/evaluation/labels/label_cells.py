"""Classes, numbers and images, read from the cells of a list of labels."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from engine.errors import UserError, did_you_mean, nearest
from engine.evaluation.labels.label_lists import ID
from engine.lists import ListRow, ListTable
from engine.outputs.outputs import Outputs

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


def read_images(table: ListTable, names: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
    """Reads PNG files of one shape, named by the first of these columns that exists.

    Args:
      table: the list.
      names: of the columns.
      shape: [h, w] or [h, w, c].

    Returns:
      uint8 [rows, *shape].

    Raises:
      UserError: a file cannot be read or has another shape.
    """
    files = table.column(*names)
    images = np.empty((len(files), *shape), np.uint8)
    for index, (example, file) in enumerate(zip(table.column(ID), files, strict=True)):
        images[index] = _image(table.path.parent / file, example, shape)
    return images


def _image(path: Path, example: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f'{path}, of example {example!r}, cannot be read: {error}.') from error
    if pixels.ndim == 2 and shape[2:] == (1,):
        pixels = pixels[..., np.newaxis]
    if pixels.dtype not in (np.uint8, bool) or pixels.shape != shape:
        raise UserError(
            f'{path}, of example {example!r}, holds {pixels.dtype} {list(pixels.shape)}, but uint8 '
            f'{list(shape)} is predicted.'
        )
    return pixels.astype(np.uint8)
