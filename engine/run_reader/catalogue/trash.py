"""Removed runs: they move to the trash of the workspace, from which they can be restored.

The trash is a folder for each removed run, which holds the run and a note on where it was.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine import files
from engine.errors import UserError, did_you_mean
from engine.run_reader.catalogue import liveness
from engine.run_reader.catalogue.entry import RunEntry
from engine.runs import lock
from engine.workspace import workspace

NOTE, CONTENT = 'removed.json', 'run'


@dataclass(frozen=True)
class RemovedRun:
    """A run in the trash.

    Attributes:
      folder: its folder in the trash, which holds the run and the note.
      name: what the table called it.
      source: where it was.
      removed: when it was removed.
    """

    folder: Path
    name: str
    source: Path
    removed: datetime


def place() -> Path:
    """Returns the trash of the workspace. It need not exist."""
    return workspace() / 'trash'


def check_removable(entry: RunEntry) -> None:
    """Raises `UserError` if a run may not be removed: a process is at work on it, or its folder is a link."""
    if entry.liveness.state in liveness.ALIVE:
        raise UserError(
            f'{entry.name} is {entry.liveness.state}: {entry.liveness.reason}. Stop it first, or wait for it.'
        )
    if entry.folder.is_symlink():
        raise UserError(f'{entry.folder} is a link to {entry.folder.resolve()}. Pass that folder instead.')


def remove(entry: RunEntry) -> Path:
    """Moves a run to the trash, all of it at once; returns its folder there.

    Raises:
      UserError: a process is at work on it, it is a link, or it lies on another disk than the workspace.
    """
    check_removable(entry)
    target = _new_folder(entry.folder.name)
    now = datetime.now(UTC).isoformat()
    try:
        with lock.locked(entry.folder, entry.status):  # nobody begins to train meanwhile
            files.write_json(target / NOTE, {'name': entry.name, 'source': str(entry.folder), 'removed': now})
            entry.folder.rename(target / CONTENT)
    except BaseException as error:
        if not (target / CONTENT).exists():
            shutil.rmtree(target, ignore_errors=True)
        if isinstance(error, OSError) and error.errno == errno.EXDEV:
            raise UserError(
                f'{entry.folder} lies on another disk than the workspace and cannot move to its trash. '
                'Delete the folder yourself.'
            ) from error
        raise
    return target


def _new_folder(name: str) -> Path:
    time = datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%S')
    for number in range(1, 10_000):
        folder = place() / f'{time}-{number}-{name[:100]}'
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise UserError(f'{place()} is full. Empty it: scripts/runs.sh gc --days=0 --apply.')


def contents() -> list[RemovedRun]:
    """Returns the runs in the trash, the last removed first."""
    return sorted(_contents(), key=lambda run: run.removed, reverse=True)


def _contents() -> Iterator[RemovedRun]:
    for folder in sorted(place().glob('*/')) if place().is_dir() else ():
        note = files.read_json(folder / NOTE)
        name, source, removed = (str(note.get(key, '')) for key in ('name', 'source', 'removed'))
        if source and os.path.lexists(folder / CONTENT):
            yield RemovedRun(folder, name, Path(source), _time(removed, folder))


def _time(text: str, folder: Path) -> datetime:
    """Returns when a run was removed; if the note is damaged, when its folder changed."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)


def restore(text: str) -> Path:
    """Moves a run back from the trash to where it was; of several of the same name, the last removed.

    Args:
      text: the name of the run, an end of it, or its folder in the trash.

    Returns:
      The run folder.

    Raises:
      UserError: there is no such run, or something is in its place.
    """
    runs = contents()
    known = [run for run in runs if _is_called(run, text)]
    if not known:
        names = [run.name for run in runs]
        hint = did_you_mean(text, names) if names else 'It is empty.'
        raise UserError(f'{text} is not in the trash. {hint}')
    removed = known[0]
    if os.path.lexists(removed.source):
        raise UserError(f'{removed.source} exists. Move it away, then restore {removed.name} again.')
    removed.source.parent.mkdir(parents=True, exist_ok=True)
    (removed.folder / CONTENT).rename(removed.source)
    shutil.rmtree(removed.folder)
    return removed.source


def _is_called(run: RemovedRun, text: str) -> bool:
    text = re.sub('/+$', '', text)
    return (
        run.name == text
        or run.name.endswith(f'/{text}')
        or text in (str(run.source), str(run.folder), run.folder.name)
    )
