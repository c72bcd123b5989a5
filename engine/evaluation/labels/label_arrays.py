"""Labels as arrays: an `.npz` file with `ids` and the label arrays of its kind, or another outputs folder."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.outputs import kind_folders
from engine.outputs.exact import converted
from engine.outputs.kind import Arrays, Kind
from engine.outputs.outputs import Outputs
from engine.outputs.reading import read as read_outputs

IDS = 'ids'


def read(path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
    """Reads an `.npz` file: `ids`, text [n], and labels as in docs/outputs.md. Never unpickles.

    Raises:
      UserError: the file is not valid.
    """
    kind = kind_folders.declaration(outputs.kind)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in (IDS, *kind.labels) if name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'{path} is not an .npz file of plain arrays: {error}.') from error
    _check(path, outputs.kind, kind, arrays)
    ids = arrays.pop(IDS)
    return ids.tolist(), {
        name: converted(f'{path}: {name}', array, kind.arrays[name]) for name, array in arrays.items()
    }


def read_folder(path: Path, outputs: Outputs) -> tuple[Sequence[str], Arrays]:
    """Reads the labels of another outputs folder of the same kind and classes.

    Raises:
      UserError: the folder is not valid, has another kind or other classes, or has no labels.
    """
    other = read_outputs(path)
    names = kind_folders.declaration(outputs.kind).labels
    class_names = {one.class_names for one in (outputs, other) if one.class_names}
    if other.kind != outputs.kind or len(class_names) > 1:
        raise UserError(f'{path} and {outputs.folder} have different kinds or different classes.')
    arrays = {name: other.arrays[name] for name in names if name in other.arrays}
    if not arrays:
        raise UserError(f'{path} has no labels either: none of {", ".join(names)}.')
    return other.ids, arrays


def _check(path: Path, name_of_kind: str, kind: Kind, arrays: Arrays) -> None:
    needed = (IDS, *(name for name in kind.labels if name not in kind.may_lack))
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise UserError(f'{path} has no array {missing[0]!r}: for {name_of_kind} give {", ".join(needed)}.')
    ids = arrays[IDS]
    if ids.ndim != 1 or ids.dtype.kind != 'U' or not len(ids):
        raise UserError(f'{path}: ids is {ids.dtype} {list(ids.shape)}, but text [n] is needed.')
    for name in arrays.keys() - {IDS}:
        if kind.rows(name) == 'n' and arrays[name].shape[:1] != ids.shape:
            raise UserError(f'{path}: {name} has shape {list(arrays[name].shape)} for {len(ids)} ids.')
        if name in kind.owners and not np.isin(arrays[name], range(len(ids))).all():
            raise UserError(f'{path}: {name} holds rows of ids outside 0 to {len(ids) - 1}.')
