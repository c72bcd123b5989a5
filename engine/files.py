"""Files and folders that appear whole or not at all, and folders that are found below others.

This is the only module that replaces files and folders atomically. It imports the standard library alone.
"""

import contextlib
import errno
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from engine.errors import UserError, did_you_mean

# A full, read-only or vanished file system raises these: no code is to blame.
FILE_SYSTEM_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.ENOENT,
    errno.ESTALE,
}
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
    """Replaces a text file whole, in UTF-8 and with the line ends of `text`."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding='utf-8', newline='')


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder beside `folder`, which it replaces when the block ends.

    The old folder stays in place until the new one is complete. Nothing remains of the new one if the block
    raises.
    """
    temporary = _temporary(folder)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _rename_into_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Deletes what killed processes left of `path`; no other process may be writing it."""
    for leftover in path.parent.glob('.*.tmp') if path.parent.is_dir() else ():
        if original_name(leftover.name) == path.name:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def original_name(name: str) -> str:
    """Returns the name of the file that a temporary was to replace; other names as they are."""
    matched = _TEMPORARY.fullmatch(name)
    return matched['name'] if matched else name


def _temporary(path: Path) -> Path:
    return path.with_name(f'.{path.name}.{uuid.uuid4().hex[:8]}.tmp')


def _rename_into_place(temporary: Path, folder: Path) -> None:
    """Renames `temporary` to `folder`; an old folder is moved out of the way first and deleted last."""
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


# What a user names on the command line.


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
            f'{folder} exists and holds something else: it has no {marker}. Choose another folder.'
        )
    if not overwrite:
        raise UserError(f'{folder} exists already. Pass --overwrite to replace it, or choose another folder.')


def user_file(file: Path, content: bytes) -> None:
    """Writes the file that a user named, whole or not at all, and the folders above it.

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


# Finding.


def topmost(path: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Finds the wanted folders at or below `path`, sorted; searches neither inside them nor in hidden ones.

    Raises:
      UserError: `path` is not a folder, or a folder below it cannot be read.
    """
    if not path.is_dir():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        problem = 'is not a folder' if path.exists() else 'does not exist'
        raise UserError(f'{path} {problem}. {did_you_mean(path.name, beside)}')
    found: list[Path] = []
    for name, below, _ in os.walk(path, onerror=_unreadable):
        if wanted(Path(name)):
            found.append(Path(name))
            below.clear()
        below[:] = [each for each in below if not each.startswith('.')]  # temporaries of killed processes
    return sorted(found)


def _unreadable(error: OSError) -> NoReturn:
    raise UserError(f'{error.filename} cannot be read: {error.strerror}. Leave it out.') from error


def short_names(found: Sequence[Path]) -> list[str]:
    """Returns for each folder its path below what they have in common; '.' for a single one."""
    absolute = [folder.resolve() for folder in found]
    common = os.path.commonpath(absolute)
    return [str(folder.relative_to(common)) for folder in absolute]


def names_apart(found: Sequence[Path]) -> list[str]:
    """Returns for each folder the shortest name that tells it from the others: its own where it is alone."""
    return short_names(found) if len(found) > 1 else [folder.resolve().name for folder in found]
