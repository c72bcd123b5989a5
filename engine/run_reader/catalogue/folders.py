"""Where the runs of a workspace are, and which one a user means."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.errors import UserError, did_you_mean
from engine.run_reader.plain_files import MARKS, printable
from engine.workspace import workspace

PLACES = ('runs', 'sweeps', 'pipelines')  # folders of the workspace that hold runs
# A run that was killed before it had a config has these folders alone.
_FIRST_FOLDERS = ('checkpoints', 'logs', 'outputs')


def is_run(folder: Path) -> bool:
    """Whether a folder holds the files of a run, or what one leaves that dies before its first file."""
    try:
        return any((folder / mark).is_file() for mark in MARKS) or all(
            (folder / name).is_dir() for name in _FIRST_FOLDERS
        )
    except OSError:
        return False


def find(paths: Iterable[Path], problems: list[str]) -> list[Path]:
    """Finds runs at or below some folders, each once. Links are followed, and hidden folders left out.

    Args:
      paths: the folders.
      problems: gets a sentence for each folder that cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    return [folder for path in paths for folder in _find_below(path, problems, seen)]


def _find_below(path: Path, problems: list[str], seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:  # two paths lead there, or a link leads back
            return
        seen.add(identity)
        if is_run(path):
            yield path
            return
        with os.scandir(path) as entries:
            below = sorted(
                entry.name for entry in entries if not entry.name.startswith('.') and entry.is_dir()
            )
    except OSError as error:
        problems.append(f'{printable(str(path))} cannot be read: {error.strerror}')
        return
    for name in below:
        yield from _find_below(path / name, problems, seen)


def in_workspace(problems: list[str]) -> list[Path]:
    """Finds all runs of the workspace."""
    return find([place for name in PLACES if (place := workspace() / name).is_dir()], problems)


def name(folder: Path) -> str:
    """Returns how a run is called: its path below the runs of the workspace, else its whole path.

    A run of a sweep keeps 'sweeps/' in front, one of a pipeline 'pipelines/'.
    """
    home, path = workspace(), folder.absolute()
    for parent in (home / 'runs', home):
        if path.is_relative_to(parent) and path != parent:
            return str(path.relative_to(parent))
    return str(path)


def one(text: str) -> Path:
    """Returns the run that a text names: a path, or a name as the table shows it, or an end of one.

    Raises:
      UserError: there is no such run, or several.
    """
    homes = (Path(), workspace() / 'runs', workspace())
    for folder in (home / text for home in homes):
        if is_run(folder):
            return folder.resolve() if '..' in folder.parts else folder.absolute()
    known = {name(folder): folder for folder in in_workspace([])}
    matching = [full for full in known if full.endswith(f'/{text.strip("/")}')]
    if len(matching) == 1:
        return known[matching[0]]
    if matching:
        raise UserError(f'{text} may be any of {", ".join(sorted(matching)[:5])}. Write more of the name.')
    hint = did_you_mean(text, known) if known else f'{workspace()} holds no run.'
    raise UserError(f'{text} is not a run. {hint}')
