"""Reads and verifies outputs folders. Never unpickles, and never follows a path out of the folder."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.outputs.check_arrays import checked
from engine.outputs.check_ids import check_ids
from engine.outputs.contents import IDS, MANIFEST, FileEntry, fingerprint
from engine.outputs.manifest import ArrayEntry, Manifest, check_path, read_manifest
from engine.outputs.outputs import Outputs
from engine.outputs.pictures import files


def read(folder: str | Path) -> Outputs:
    """Reads an outputs folder and verifies all of its files.

    >>> import tempfile
    >>> from engine import outputs
    >>> folder, values = Path(tempfile.mkdtemp()) / 'test', np.ones((2, 1), np.float32)
    >>> outputs.write(folder, Manifest('regression'), {'values': values}, ['a', 'b'], {'values': 'metres'})
    >>> outputs.read(folder).arrays['values'].shape
    (2, 1)

    Args:
      folder: an outputs folder.

    Returns:
      The outputs. Their arrays are memory-mapped, not loaded, unless their dtypes had to be converted.

    Raises:
      UserError: the folder is unfinished or damaged, or differs from the declaration of its kind; names the
        folder and the file.
    """
    folder = Path(folder)
    try:
        manifest = read_manifest(folder)
        _check_files(folder, manifest)
        ids = _read_ids(folder, manifest.examples)
        arrays = {name: _read_entry(folder, name, manifest, ids) for name in manifest.arrays}
    except OSError as error:
        raise UserError(f'{folder}: cannot be read: {error!s:.300}.') from error
    arrays = checked(folder, manifest, arrays, len(ids))
    return Outputs(folder, manifest, tuple(ids), arrays)


def _check_files(folder: Path, manifest: Manifest) -> None:
    for name in (MANIFEST, *manifest.files):
        check_path(folder, name)
    for name, entry in manifest.files.items():
        _check_content(folder, name, entry)
    for name in (IDS, *(entry.file for entry in manifest.arrays.values())):
        if name not in manifest.files and not name.endswith('/'):
            raise UserError(f"{folder / MANIFEST}: {name!r} is missing from 'files'.")
    for path in sorted(folder.glob('*.npy')):
        if path.name not in manifest.files:
            raise UserError(
                f'{folder}: {path.name} is not in {MANIFEST}. Delete it, or write the outputs again.'
            )


def _check_content(folder: Path, name: str, entry: FileEntry) -> None:
    path = folder / name
    if not path.is_file():
        raise UserError(f'{folder}: {name} is missing. Write the outputs again.')
    # The size is checked first: it is cheap, and its message says more than that of a digest.
    size = path.stat().st_size
    if size != entry.bytes:
        problem = f'it has {size} bytes, not {entry.bytes!r:.100}'
    elif fingerprint(path).sha256 != entry.sha256:
        problem = f'its sha256 is not the one in {MANIFEST}'
    else:
        return
    raise UserError(f'{folder}: {name} is damaged: {problem}. Write the outputs again.')


def _read_ids(folder: Path, examples: int) -> list[str]:
    try:
        text = (folder / IDS).read_text(encoding='utf-8')
    except UnicodeDecodeError as error:
        raise UserError(f'{folder}: {IDS} is not UTF-8 text: {error}.') from error
    ids = text.removesuffix('\n').split('\n') if text else []
    if len(ids) != examples:
        raise UserError(
            f'{folder}: {IDS} has {len(ids)} ids, but {MANIFEST} says {examples!r:.100} examples.'
        )
    check_ids(folder, ids)
    return ids


def _read_entry(folder: Path, name: str, manifest: Manifest, ids: Sequence[str]) -> Any:
    """Returns an array, or pictures of varying size."""
    entry = manifest.arrays[name]
    if not entry.file.endswith('/'):
        return _read_array(folder, name, entry)
    if entry.file != f'{name}/' or len(entry.shape) not in (3, 4):
        raise UserError(
            f'{folder}: {name!r} has file {entry.file!r:.100} and shape {entry.shape!r:.100}, but pictures '
            f"of varying size are '{name}/' of shape [n, null, null] or [n, null, null, c]."
        )
    channels: Any = entry.shape[3] if len(entry.shape) == 4 else None
    pictures = files.read(folder, name, manifest.files, ids, channels)
    _check_entry(folder, name, entry, ArrayEntry.of(name, pictures, entry.meaning))
    return pictures


def _read_array(folder: Path, name: str, entry: ArrayEntry) -> np.ndarray:
    """Memory-maps an array. Never unpickles."""
    path = folder / entry.file
    try:
        array = _mapped(path)
    except OSError:
        raise
    except Exception as error:  # NumPy's parser may raise any exception
        problem = ' '.join(str(error).split())
        raise UserError(f'{folder}: {path.name} is not a plain .npy file: {problem:.200}.') from error
    size, expected = path.stat().st_size, array.offset + array.nbytes
    if size != expected:
        raise UserError(f'{folder}: {path.name} has {size} bytes, but its header says {expected}.')
    _check_entry(folder, name, entry, ArrayEntry.of(name, array, entry.meaning))
    return array


def _mapped(path: Path) -> np.memmap:
    """Memory-maps an array. Warnings of NumPy are errors here, because some of them mean damage."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        return np.lib.format.open_memmap(path, mode='r')


def _check_entry(folder: Path, name: str, stated: ArrayEntry, actual: ArrayEntry) -> None:
    for key, value in vars(actual).items():
        if getattr(stated, key) != value:
            raise UserError(
                f'{folder}: {name!r} has {key} {value}, but {MANIFEST} says {getattr(stated, key)!r:.100}.'
            )
