"""The record of the runs that this workspace made, or that its user trusts.

The config of a run decides what a program imports and calls, and its uncommitted.diff is code too. So a run
from elsewhere is code from elsewhere. The record lies outside the run folders, in
`$WORKSPACE/trusted_runs/`: a line for each file that a run wrote here, with its sha256. A line fits a file
of the same content in

- the run with the same id, which status.json holds: a run, or the whole workspace, may move;
- the run at the same place in the workspace;
- a run that has lost its id, as status.json is lost or damaged: this workspace wrote the same content.

Each machine appends to a file of its own. A shared disk may lose lines that several machines append to one
file.
"""

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import files
from engine.runs import checksums
from engine.runs.run_state import STATUS_FILE, undamaged
from engine.runs.safety.private import FILE_MODE, FOLDER_MODE
from engine.runs.text_log import logger
from engine.workspace import workspace

FOLDER = 'trusted_runs'  # of the workspace
CONFIG = 'config.gin'
COPY = '.copy'  # a file in the temporary folders of other processes of a run, which are not recorded
# All that can become code when a run is reproduced.
RECORD = (CONFIG, 'environment.json', 'uncommitted*.diff', 'requirements*.lock', 'sources*')

_TORN = re.compile(rb'[^\n]\Z')


def vouch(folder: Path, digests: Mapping[str, str]) -> None:
    """Records that files of a run are trusted. A workspace that cannot be written gets a warning.

    Args:
      folder: the run folder.
      digests: the sha256 of each file, or of a folder's files, by its name in the run folder.
    """
    if (folder / COPY).exists():
        return
    new = {name: digest for name, digest in digests.items() if not _is_known(folder, name, digest)}
    origin = {
        'time': datetime.now(UTC).isoformat(timespec='seconds'),
        'id': _identity(folder),
        'run': _place(folder),
    }
    lines = [json.dumps(origin | {'file': name, 'sha256': digest}) for name, digest in new.items()]
    try:
        _append(workspace() / FOLDER, lines)
    except OSError as error:
        logger.warning(
            'warning: %s cannot be written: %s. Later commands will ask for --trust.',
            workspace() / FOLDER,
            error.strerror,
        )


def vouch_for(path: Path) -> None:
    """Records that a file or folder of a run, as it is now, is trusted.

    Args:
      path: what lies directly in the run folder.
    """
    vouch(path.parent, {path.name: _digest(path)})


def unknown(folder: Path, names: tuple[str, ...] = (CONFIG,)) -> dict[str, str]:
    """Returns the files of a run that neither this workspace wrote nor its user trusts, each with its sha256.

    Args:
      folder: the run folder.
      names: the files to look at, as patterns.
    """
    paths = sorted({path for name in names for path in folder.glob(name) if path.exists()})
    digests = {path.name: _digest(path) for path in paths}
    return {name: digest for name, digest in digests.items() if not _is_known(folder, name, digest)}


def _digest(path: Path) -> str:
    """Returns the sha256 of a file, or of all files and links in a folder, whose links are not followed."""
    if not path.is_dir():
        return files.sha256(path)
    members = sorted(member for member in path.rglob('*') if member.is_symlink() or member.is_file())
    contents = {
        str(member.relative_to(path)): str(member.readlink()) if member.is_symlink() else files.sha256(member)
        for member in members
    }
    return checksums.of_values(contents)


def _is_known(folder: Path, name: str, digest: str) -> bool:
    identity, place = _identity(folder), _place(folder)
    return any(
        line.get('file') == name and (not identity or line.get('id') == identity or line.get('run') == place)
        for line in _lines(digest)
    )


def _identity(folder: Path) -> str:
    """Returns the id of a run, '' if status.json does not hold one that is undamaged."""
    return undamaged(files.read_json(folder / STATUS_FILE)).get('id', '')


def _place(folder: Path) -> str:
    """Returns the path of a run in the workspace, or its absolute path if it lies elsewhere."""
    path, home = folder.resolve(), workspace().resolve()
    return path.relative_to(home).as_posix() if path.is_relative_to(home) else str(path)


def _lines(digest: str) -> Iterator[dict[str, Any]]:
    """Yields the lines of the record about a content, without torn and damaged ones."""
    for path in sorted((workspace() / FOLDER).glob('*.jsonl')):
        for line in path.read_bytes().splitlines():
            if digest.encode() not in line:  # parsing all lines of a long record would take long
                continue
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(values, dict) and values.get('sha256') == digest:
                yield values


def _append(folder: Path, lines: list[str]) -> None:
    """Appends lines to this machine's file, which only its owner may read."""
    if not lines:
        return
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    machine = re.sub(r'[^\w.-]+', '-', platform.node()).lstrip('.-')
    path = folder / f'{machine or "machine"}.jsonl'
    start = '\n' if path.exists() and _TORN.search(path.read_bytes()) else ''
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, FILE_MODE)
    with os.fdopen(descriptor, 'ab') as file:
        file.write((start + ''.join(f'{line}\n' for line in lines)).encode())
