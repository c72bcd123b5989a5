"""Truth as arrays: an `.npz` file with `ids` and the arrays of its kind, or another outputs folder."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.outputs import kind as kinds
from engine.outputs import outputs
from engine.outputs.outputs import Outputs

IDS = 'ids'


def names(kind: str) -> tuple[str, ...]:
    """Returns the arrays that say what is true of each example of a kind; () where there are none."""
    known = kinds.KINDS[kind]
    others = {name for group in known.needs for name in group} | kinds.INPUTS.keys()
    truths = {name: field for name, field in known.arrays.items() if name not in others}
    of_examples = any('n' in (field.below, field.axes.split()[0]) for field in truths.values())
    return tuple(truths) if of_examples else ()


def read(path: Path, found: Outputs) -> tuple[Sequence[str], Mapping[str, np.ndarray]]:
    """Reads an `.npz` file: `ids`, text [n], and the truth as docs/outputs.md has it; never unpickles.

    Raises:
      UserError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in (IDS, *names(found.kind)) if name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f'{path} is no .npz file of plain arrays: {error}.') from error
    _check(path, found.kind, arrays)
    ids = arrays.pop(IDS)
    fields = kinds.KINDS[found.kind].arrays
    return ids.tolist(), {name: _cast(path, name, each, fields[name].dtype) for name, each in arrays.items()}


def read_folder(path: Path, found: Outputs) -> tuple[Sequence[str], Mapping[str, np.ndarray]]:
    """Reads the truth that another outputs folder of the same kind and classes holds.

    Raises:
      UserError: it is no such folder.
    """
    other = outputs.read(path)
    if (other.kind, other.class_names or found.class_names) != (
        found.kind,
        found.class_names or other.class_names,
    ):
        raise UserError(f'{path} and {found.folder} are outputs of other kinds or of other classes.')
    arrays = {name: other.arrays[name] for name in names(found.kind) if name in other.arrays}
    if not arrays:
        raise UserError(f'{path} holds no truth either: none of {", ".join(names(found.kind))}.')
    return other.ids, arrays


def _check(path: Path, kind: str, arrays: Mapping[str, np.ndarray]) -> None:
    missing = [name for name in (IDS, *names(kind)) if name not in arrays]
    if missing:
        raise UserError(f'{path} holds no {missing[0]!r}: for {kind} give {", ".join((IDS, *names(kind)))}.')
    ids = arrays[IDS]
    if ids.ndim != 1 or ids.dtype.kind != 'U' or not len(ids):
        raise UserError(f'{path}: ids is {ids.dtype} {list(ids.shape)}, where text [n] is needed.')
    for name, field in kinds.KINDS[kind].arrays.items():
        if name in arrays and field.axes.split()[0] == 'n' and arrays[name].shape[:1] != ids.shape:
            raise UserError(f'{path}: {name} has shape {list(arrays[name].shape)} for {len(ids)} ids.')
        if name in arrays and field.below == 'n' and not np.isin(arrays[name], range(len(ids))).all():
            raise UserError(f'{path}: {name} holds rows of ids that are none of 0 to {len(ids) - 1}.')


def _cast(path: Path, name: str, array: np.ndarray, dtype: str) -> np.ndarray:
    """Returns the numbers as the kind has them: NumPy's own integers are longer than they need be."""
    wanted = np.dtype(dtype)
    if array.dtype.kind not in 'biuf':
        raise UserError(f'{path}: {name} holds {array.dtype}, where {dtype} is needed.')
    with np.errstate(all='ignore'):
        made = array.astype(wanted)
    if wanted.kind != 'f' and not np.array_equal(made, array):
        raise UserError(f'{path}: {name} holds numbers that {dtype} cannot hold.')
    return made
