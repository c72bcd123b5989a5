"""Seals: the sha256 of every file of a folder, kept in it, so that damage is found before it is believed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SEAL = 'checksums.json'
WRITTEN_LATER = ('_CHECKPOINT_METADATA', 'commit_success.txt')  # by Orbax, when the seal is already there


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob('*')) if path.is_file())
    sealed = (path for path in files if path.name not in (SEAL, *WRITTEN_LATER))
    return {path.relative_to(folder).as_posix(): _digest(path) for path in sealed}


def _digest(path: Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def seal(folder: Path, notes: Mapping[str, str]) -> None:
    """Writes the seal of a folder as it is, and notes in it."""
    values: dict[str, Any] = {'files': _digests(folder), 'notes': dict(notes)}
    values['self'] = _digest_of(values)  # a flipped bit of the seal itself must not pass for other notes
    (folder / SEAL).write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')


def _digest_of(values: Mapping[str, Any]) -> str:
    body = {name: values.get(name) for name in ('files', 'notes')}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def notes(folder: Path) -> dict[str, str]:
    """Returns the notes in the seal of an undamaged folder."""
    return json.loads((folder / SEAL).read_text(encoding='utf-8'))['notes']


def damage(folder: Path) -> str:
    """Returns what is wrong with a sealed folder, '' if nothing is."""
    try:
        values = json.loads((folder / SEAL).read_text(encoding='utf-8'))
        found = _digests(folder)
    except (OSError, ValueError) as error:
        return f'{SEAL} cannot be read ({type(error).__name__})'
    if not isinstance(values, dict) or values.get('self') != _digest_of(values):
        return f'{SEAL} has changed'
    sealed = values['files']
    for name in sorted(sealed.keys() | found.keys()):
        if name not in found:
            return f'{name} is missing'
        if name not in sealed:
            return f'{name} does not belong there'
        if sealed[name] != found[name]:
            return f'{name} has changed'
    return ''
