"""Atomic replacement of files and folders, and the search for folders.

No other module replaces files or folders atomically. This module imports the standard library alone.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from engine.errors import UserError, did_you_mean, nearest

_TEMPORARY = re.compile(r'\.(?P<name>.+)\.[0-9a-f]{8}\.tmp')


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; the file written there replaces `path` when the block ends.

    A reader sees the old file or the new one. Nothing remains of the new one if the block raises.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replaces a text file atomically, in UTF-8 and with the line ends of `text`."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding='utf-8', newline='')


def write_json(path: Path, values: Any) -> None:
    """Replaces a JSON file atomically."""
    write_text(path, json.dumps(values, indent=2) + '\n')


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file; an empty one if the file is missing or damaged."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


@contextlib.contextmanager
def atomic_folder(folder: Path, replaces: bool = True) -> Iterator[Path]:
    """Yields an empty folder beside `folder`, which it replaces when the block ends.

    Without `replaces`, `OSError` is raised if `folder` holds files by then. The old folder stays until the
    new one is complete. Nothing remains of the new one if the block raises.
    """
    temporary = _temporary(folder)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _rename_into_place(temporary, folder) if replaces else temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Deletes the temporary files of killed processes beside `path`. No other process may be writing it."""
    for leftover in _leftovers(path.parent):
        if original_name(leftover.name) == path.name:
            _delete(leftover)


def remove_all_leftovers(folder: Path) -> None:
    """Deletes all temporary files of killed processes in a folder. No other process may be writing there."""
    for leftover in _leftovers(folder):
        _delete(leftover)


def _leftovers(folder: Path) -> list[Path]:
    """Returns the temporary files in a folder; none if it does not exist."""
    return [path for path in folder.glob('.*.tmp') if original_name(path.name) != path.name]


def _delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def remove_folder(folder: Path) -> None:
    """Deletes a folder if it exists. A reader sees all of it or nothing, even if the process is killed."""
    temporary = _temporary(folder)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(temporary)
        shutil.rmtree(temporary)


def sha256(path: Path) -> str:
    """Returns the sha256 of a file's content, 64 hexadecimal digits."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def original_name(name: str) -> str:
    """Returns the name of the file that a temporary file replaces, or `name` if it is not temporary.

    >>> original_name('.status.json.0123abcd.tmp')
    'status.json'
    """
    matched = _TEMPORARY.fullmatch(name)
    return original_name(matched['name']) if matched else name  # what writes to a temporary may be atomic too


def _temporary(path: Path) -> Path:
    return path.with_name(f'.{path.name}.{uuid.uuid4().hex[:8]}.tmp')


def _rename_into_place(temporary: Path, folder: Path) -> None:
    """Renames `temporary` to `folder`. An old folder is renamed first and deleted last."""
    if not folder.exists():
        temporary.rename(folder)
        return
    old = _temporary(folder)
    folder.rename(old)
    try:
        temporary.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old)


# Files and folders that a user names on the command line.


@contextlib.contextmanager
def user_folder(folder: Path, marker: str, overwrite: bool) -> Iterator[Path]:
    """Yields an empty folder that replaces the folder a user named, as `atomic_folder` does.

    Args:
      folder: the folder to write.
      marker: a file that every such folder holds; a folder without it is never replaced.
      overwrite: whether an existing folder may be replaced.

    Raises:
      UserError: `folder` may not be replaced, or it cannot be written.
    """
    folder = folder.resolve()
    check_replaceable(folder, marker, overwrite)
    with contextlib.ExitStack() as stack:
        try:
            temporary = stack.enter_context(atomic_folder(folder))
        except OSError as error:
            raise UserError(
                f'{folder} cannot be written: {error.strerror}. Choose another folder.'
            ) from error
        yield temporary


def check_replaceable(folder: Path, marker: str, overwrite: bool) -> None:
    """Raises `UserError` if `user_folder` would not replace what is at `folder`."""
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / marker).is_file():
        raise UserError(
            f'{folder} exists and contains other files: it has no {marker}. Choose another folder.'
        )
    if not overwrite:
        raise UserError(f'{folder} exists already. Pass --overwrite to replace it, or choose another folder.')


def user_file(file: Path, content: bytes) -> None:
    """Writes the file that a user named atomically, and makes the folders above it.

    Raises:
      UserError: the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(file) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UserError(f'{file} cannot be written: {error.strerror}. Choose another place.') from error


def check_file(file: Path, overwrite: bool) -> None:
    """Raises `UserError` if `file` exists and may not be replaced, or cannot be made."""
    if file.is_dir():
        raise UserError(f'{file} is a folder. Choose a name for the file.')
    if os.path.lexists(file) and not overwrite:
        raise UserError(f'{file} exists already. Pass --overwrite to replace it, or choose another place.')
    above = next(parent for parent in file.absolute().parents if os.path.lexists(parent))
    if not above.is_dir():
        raise UserError(f'{file} cannot be written: {above} is not a folder. Choose another place.')


# The search for folders.


def nearest_sibling(path: Path) -> str:
    """Returns a sentence that suggests the nearest file beside a missing one; '' if none is near."""
    siblings = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
    close = nearest(path.name, siblings)
    return f' Did you mean {path.with_name(close[0])}?' if close else ''


def topmost(path: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Returns the wanted folders at or below `path`, sorted.

    The search enters neither wanted folders nor hidden ones, such as the temporaries of killed processes.

    Raises:
      UserError: `path` is not a folder, or a folder below it cannot be read.
    """
    if not path.is_dir():
        problem = 'is not a folder' if path.exists() else 'does not exist'
        above = next(parent for parent in path.absolute().parents if parent.is_dir())
        siblings = [sibling.name for sibling in above.iterdir()] if above == path.parent.absolute() else []
        hint = did_you_mean(path.name, siblings) if siblings else f'The path exists up to {above}.'
        raise UserError(f'{path} {problem}. {hint}')
    folders: list[Path] = []
    for name, below, _ in os.walk(path, onerror=_refuse_unreadable):
        if wanted(Path(name)):
            folders.append(Path(name))
            below.clear()
        below[:] = [folder for folder in below if not folder.startswith('.')]
    return sorted(folders)


def _refuse_unreadable(error: OSError) -> NoReturn:
    raise UserError(f'{error.filename} cannot be read: {error.strerror}. Leave it out.') from error


def short_names(folders: Sequence[Path]) -> list[str]:
    """Returns the paths of `folders` below their common parent folder; '.' for a single folder."""
    absolute = [folder.resolve() for folder in folders]
    common = os.path.commonpath(absolute)
    return [str(folder.relative_to(common)) for folder in absolute]


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Returns the shortest name of each folder that no other has; for a single folder its own name."""
    return short_names(folders) if len(folders) > 1 else [folder.resolve().name for folder in folders]
