"""Truth as a list: a CSV file with a row per example, its `id` and its label, numbers or file."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from engine.errors import UserError, did_you_mean, nearest
from engine.outputs.outputs import Outputs

ID = 'id'


def read(path: Path, found: Outputs) -> tuple[Sequence[str], Mapping[str, np.ndarray]]:
    """Reads a list, such as a dataset's in the workspace; further columns are not looked at.

    | kind | columns beside `id` |
    |---|---|
    | classification | `label`: name of the class, or its index |
    | regression | `target`, or `target_0`, `target_1`, ... |
    | segmentation | `mask` or `label`: a PNG file of class indices, absolute or relative to the list |
    | image | `target` or `label`: a PNG file likewise |

    Raises:
      UserError: it is no such list, or a label, number or file in it will not do.
    """
    columns = _columns(path)
    ids = _column(path, columns, (ID,))
    if found.kind not in _KINDS:
        raise UserError(f'{path}: the truth of {found.kind} does not fit into a list. Give .npz or .json.')
    name, read_kind = _KINDS[found.kind]
    return ids, {name: read_kind(path, columns, found)}


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


def _column(path: Path, columns: Mapping[str, list[str]], names: Sequence[str]) -> list[str]:
    """Returns the first of these columns that is there."""
    there = [name for name in names if name in columns]
    if not there:
        wanted = ' or '.join(map(repr, names))
        raise UserError(f'{path} has no column {wanted}. {did_you_mean(names[0], columns)}')
    return columns[there[0]]


# Classes.


def _labels(path: Path, columns: Mapping[str, list[str]], found: Outputs) -> np.ndarray:
    """Returns int32 [n]: of names, or else of indices, where no class is called as one."""
    cells = _column(path, columns, ('label',))
    places = {name: index for index, name in enumerate(found.class_names)}
    assert found.classes is not None  # by the kind
    indices = {str(index): index for index in range(found.classes)}
    named = sum(cell in places for cell in cells)
    if not any(name in indices for name in places) and sum(cell in indices for cell in cells) > named:
        places = indices
    unknown = [(each, cell) for each, cell in zip(columns[ID], cells, strict=True) if cell not in places]
    if unknown:
        raise UserError(_unknown(path, unknown, found, len(indices)))
    return np.array([places[cell] for cell in cells], np.int32)


def _unknown(path: Path, unknown: Sequence[tuple[str, str]], found: Outputs, classes: int) -> str:
    example, label = unknown[0]
    more = f' ({len(unknown)} such labels)' if len(unknown) > 1 else ''
    if not found.class_names:
        advice = f'The outputs name no classes, so labels are indices, 0 to {classes - 1}.'
    elif nearest(label, found.class_names):
        advice = did_you_mean(label, found.class_names)
    else:
        shown = ', '.join(found.class_names[:10]) + ', ...' * (len(found.class_names) > 10)
        advice = f'The classes are {shown}.'
    return f'{path}: {label!r}, the label of {example!r}, is no class of {found.folder}{more}. {advice}'


# Numbers.


def _numbers(path: Path, columns: Mapping[str, list[str]], found: Outputs) -> np.ndarray:
    """Returns f32 [n, d]."""
    d = found.arrays['values'].shape[1]
    names = [('target', 'target_0')] if d == 1 else [(f'target_{index}',) for index in range(d)]
    if f'target_{max(d, 1)}' in columns:
        raise UserError(f'{path} has a column target_{max(d, 1)}, but {found.folder} predicts {d} numbers.')
    cells = [_column(path, columns, each) for each in names]
    rows = [
        [_number(path, example, cell) for cell in row]
        for example, row in zip(columns[ID], zip(*cells, strict=True), strict=True)
    ]
    return np.array(rows, np.float32).reshape(len(rows), d)


def _number(path: Path, example: str, cell: str) -> np.float32:
    try:
        with np.errstate(over='ignore'):
            number = np.float32(cell)
    except ValueError:
        number = np.float32(np.nan)
    if not np.isfinite(number):
        raise UserError(f'{path}: {cell!r}, a target of {example!r}, is no finite number.')
    return number


# Pictures.


def _masks(path: Path, columns: Mapping[str, list[str]], found: Outputs) -> np.ndarray:
    """Returns uint8 [n, h, w]."""
    return _pictures(path, columns, ('mask', 'label'), found.arrays['masks'].shape[1:])


def _images(path: Path, columns: Mapping[str, list[str]], found: Outputs) -> np.ndarray:
    """Returns uint8 [n, h, w, c]."""
    return _pictures(path, columns, ('target', 'label'), found.arrays['images'].shape[1:])


def _pictures(
    path: Path, columns: Mapping[str, list[str]], names: Sequence[str], shape: tuple[int, ...]
) -> np.ndarray:
    files = _column(path, columns, names)
    made = np.empty((len(files), *shape), np.uint8)
    for index, (example, file) in enumerate(zip(columns[ID], files, strict=True)):
        made[index] = _picture(path.parent / file, example, shape)
    return made


def _picture(path: Path, example: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f'{path}, of example {example!r}, cannot be read: {error}.') from error
    if pixels.ndim == 2 and shape[2:] == (1,):
        pixels = pixels[..., np.newaxis]
    if pixels.dtype not in (np.uint8, bool) or pixels.shape != shape:
        raise UserError(
            f'{path}, of example {example!r}, holds {pixels.dtype} {list(pixels.shape)}, where uint8 '
            f'{list(shape)} is predicted.'
        )
    return pixels.astype(np.uint8)


Reader = Callable[[Path, Mapping[str, list[str]], Outputs], np.ndarray]
_KINDS: Mapping[str, tuple[str, Reader]] = {
    'classification': ('labels', _labels),
    'regression': ('targets', _numbers),
    'segmentation': ('targets', _masks),
    'image': ('targets', _images),
}
