"""Writes outputs folders."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine import files as file_system
from engine.errors import UserError
from engine.outputs import kind_folders
from engine.outputs.check_arrays import checked
from engine.outputs.check_ids import check_ids
from engine.outputs.contents import IDS, MANIFEST, PREDICTIONS, fingerprint
from engine.outputs.kind import Arrays
from engine.outputs.manifest import ArrayEntry, Manifest, check_path
from engine.outputs.pictures import files as picture_files
from engine.outputs.pictures.sequence import Pictures
from engine.render.escape import formula


def write(
    folder: str | Path,
    manifest: Manifest,
    arrays: Mapping[str, Any],
    ids: Sequence[str],
    meanings: Mapping[str, str],
    *,
    files: Iterable[tuple[str, bytes]] = (),
    overwrite: bool = False,
) -> None:
    """Writes an outputs folder atomically.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / 'test'
    >>> values = np.array([[0.5], [1.5]], np.float32)
    >>> write(folder, Manifest('regression'), {'values': values}, ['a', 'b'], {'values': 'metres'})
    >>> sorted(path.name for path in folder.iterdir())
    ['ids.txt', 'manifest.json', 'predictions.csv', 'values.npy']

    Args:
      folder: the folder to write. Folders above it are created.
      manifest: the kind and the origin. This function fills in `examples`, `arrays` and `files`.
      arrays: the arrays of the kind by name, and additional arrays with one row per example. Dtypes that the
        kind lacks are converted if no number changes. Images or masks of varying size are a list of arrays,
        or `Pictures`, which makes each when it is written.
      ids: one id per example: unique, and one line of text.
      meanings: the meaning of each array, in a few words.
      files: other files, as pairs of a path in the folder, such as `images/0001.png`, and the content.
      overwrite: replace an existing outputs folder and its evaluation once the new one is complete.

    Raises:
      UserError: the folder exists, or an argument differs from the declaration of the kind.
    """
    folder = Path(folder)
    arrays = {name: _given(folder, name, array) for name, array in arrays.items()}
    check_ids(folder, ids)
    arrays = checked(folder, manifest, arrays, len(ids))
    _check_meanings(folder, arrays, meanings)
    manifest.check(folder)
    with file_system.user_folder(folder, MANIFEST, overwrite) as temporary:
        _write_contents(temporary, manifest, arrays, ids, files)
        complete = replace(
            manifest,
            examples=len(ids),
            arrays={name: ArrayEntry.of(name, array, meanings[name]) for name, array in arrays.items()},
            files={path.relative_to(temporary).as_posix(): fingerprint(path) for path in _files(temporary)},
        )
        (temporary / MANIFEST).write_text(json.dumps(complete.as_json(), indent=2) + '\n', encoding='utf-8')


def _given(folder: Path, name: str, array: Any) -> Any:
    """Returns an array; `Pictures` for a list of pictures of varying size."""
    if isinstance(array, Pictures):
        return array
    is_list = isinstance(array, list | tuple) and len(array) > 0
    if not is_list or not all(isinstance(one, np.ndarray) and one.ndim in (2, 3) for one in array):
        return np.asarray(array)
    try:
        return Pictures.of(array)
    except ValueError as error:
        raise UserError(f'{folder}: {name}: {error}. Save pictures with the same channels.') from error


def _check_meanings(folder: Path, arrays: Iterable[str], meanings: Mapping[str, str]) -> None:
    for name in sorted(set(arrays).symmetric_difference(meanings)):
        problem = 'has no meaning' if name in arrays else 'has a meaning but is not an array'
        raise UserError(f'{folder}: {name!r} {problem}. State a meaning for each array, in a few words.')


def _write_contents(
    folder: Path,
    manifest: Manifest,
    arrays: Arrays,
    ids: Sequence[str],
    files: Iterable[tuple[str, bytes]],
) -> None:
    (folder / IDS).write_text(''.join(f'{identity}\n' for identity in ids), encoding='utf-8', newline='\n')
    for name, array in arrays.items():
        if isinstance(array, Pictures):
            picture_files.write(folder, name, array, ids)
        else:
            np.save(folder / f'{name}.npy', array, allow_pickle=False)
    table = kind_folders.declaration(manifest.kind).table
    if table:
        _write_table(folder / PREDICTIONS, table(arrays, ids, manifest.class_names))
    _write_files(folder, files)


def _write_table(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    with path.open('w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(columns)
        writer.writerows([formula(cell) for cell in row] for row in zip(*columns.values(), strict=True))


def _write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    for name, content in files:
        check_path(folder, name)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open('xb') as file:  # refuses to replace another file
            file.write(content)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob('*') if path.is_file())
