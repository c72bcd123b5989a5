"""Classes, numbers and images, read from the cells of a list of labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from engine.errors import UserError, did_you_mean, nearest
from engine.evaluation.labels.label_table import ID, LabelTable
from engine.outputs.outputs import Outputs

# Classes.


def read_classes(table: LabelTable, outputs: Outputs) -> np.ndarray:
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
    unknown = [(name, cell) for name, cell in zip(table.column(ID), cells, strict=True) if cell not in places]
    if unknown:
        raise UserError(_unknown_label(table.path, unknown, outputs, len(indices)))
    return np.array([places[cell] for cell in cells], np.int32)


def _unknown_label(path: Path, unknown: Sequence[tuple[str, str]], outputs: Outputs, classes: int) -> str:
    example, label = unknown[0]
    more = f' ({len(unknown)} such labels)' if len(unknown) > 1 else ''
    if not outputs.class_names:
        advice = f'The outputs name no classes, so labels are indices, 0 to {classes - 1}.'
    elif nearest(label, outputs.class_names):
        advice = did_you_mean(label, outputs.class_names)
    else:
        shown = ', '.join(outputs.class_names[:10]) + ', ...' * (len(outputs.class_names) > 10)
        advice = f'The classes are {shown}.'
    return f'{path}: {label!r}, the label of {example!r}, is not a class of {outputs.folder}{more}. {advice}'


# Numbers.


def read_numbers(table: LabelTable, outputs: Outputs, width: int) -> np.ndarray:
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
    columns = [table.column(*alternatives) for alternatives in names]
    rows = [
        [_number(table.path, example, cell) for cell in cells]
        for example, *cells in zip(table.column(ID), *columns, strict=True)
    ]
    return np.array(rows, np.float32).reshape(len(rows), width)


def _number(path: Path, example: str, cell: str) -> np.float32:
    try:
        with np.errstate(over='ignore'):
            number = np.float32(cell)
    except ValueError:
        number = np.float32(np.nan)
    if not np.isfinite(number):
        raise UserError(f'{path}: {cell!r}, a target of {example!r}, is not a finite number.')
    return number


# Images.


def read_images(table: LabelTable, names: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
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
