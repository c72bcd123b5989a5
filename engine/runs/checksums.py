"""Checksums of a folder: `checksums.json` holds the sha256 of every file in it, so that damage is noticed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import files

CHECKSUM_FILE = 'checksums.json'
# Orbax writes these after the checksums.
UNCHECKED_FILES = ('_CHECKPOINT_METADATA', 'commit_success.txt')


def write(folder: Path, metadata: Mapping[str, str]) -> None:
    """Writes the checksums of all files in a folder, together with `metadata`."""
    values: dict[str, Any] = {'files': _checksums(folder), 'metadata': dict(metadata)}
    values['self'] = _own_checksum(values)  # so that damage to this very file is noticed too
    files.write_text(folder / CHECKSUM_FILE, json.dumps(values, indent=1) + '\n')


def metadata(folder: Path) -> dict[str, str]:
    """Returns the metadata that were written with the checksums of an undamaged folder."""
    return json.loads((folder / CHECKSUM_FILE).read_text(encoding='utf-8'))['metadata']


def damage(folder: Path) -> str:
    """Compares a folder with its checksums; returns the first difference, '' if there is none."""
    try:
        recorded = json.loads((folder / CHECKSUM_FILE).read_text(encoding='utf-8'))
        present = _checksums(folder)
    except (OSError, ValueError) as error:
        return f'{CHECKSUM_FILE} cannot be read ({type(error).__name__})'
    if not isinstance(recorded, dict) or recorded.get('self') != _own_checksum(recorded):
        return f'{CHECKSUM_FILE} has changed'
    return _difference(recorded['files'], present)


def of_undamaged(folder: Path) -> str:
    """Returns the sha256 of the checksums of an undamaged folder."""
    return of_values(json.loads((folder / CHECKSUM_FILE).read_text(encoding='utf-8'))['files'])


def of_folder(folder: Path) -> str:
    """Returns the sha256 of names and contents of all files in a folder, which may have no checksums."""
    return of_values(_checksums(folder))


def _difference(recorded: Mapping[str, str], present: Mapping[str, str]) -> str:
    for name in sorted(recorded.keys() | present.keys()):
        if name not in present:
            return f'{name} is missing'
        if name not in recorded:
            return f'{name} was added'
        if recorded[name] != present[name]:
            return f'{name} has changed'
    return ''


def _checksums(folder: Path) -> dict[str, str]:
    """Returns the sha256 of each file by its path in the folder."""
    paths = (path for path in sorted(folder.rglob('*')) if path.is_file())
    checked = (path for path in paths if path.name not in (CHECKSUM_FILE, *UNCHECKED_FILES))
    return {path.relative_to(folder).as_posix(): files.sha256(path) for path in checked}


def _own_checksum(values: Mapping[str, Any]) -> str:
    return of_values({name: values.get(name) for name in ('files', 'metadata')})


def of_values(values: Mapping[str, Any]) -> str:
    """Returns the sha256 of values of a JSON file, in which it is recorded so that damage is noticed."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
