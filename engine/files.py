"""Folders that appear whole or not at all, are found, and called by short names. Standard library alone."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from engine.errors import UserError, did_you_mean


@contextlib.contextmanager
def replacing(folder: Path, mark: str, overwrite: bool) -> Iterator[Path]:
    """Lets a folder appear whole: a new one is filled beside it and renamed into place.

    Args:
      folder: the folder to appear. An existing one stays as it is until the new one is complete.
      mark: a file that every such folder holds; a folder without it is never replaced.
      overwrite: whether an existing folder may be replaced.

    Yields:
      An empty folder to write into. Nothing remains of it if the block raises.

    Raises:
      UserError: `folder` may not be replaced, or nothing can be written there.
    """
    folder = folder.resolve()
    check_replaceable(folder, mark, overwrite)
    aside = folder.with_name(f'.{folder.name}.{uuid.uuid4().hex[:8]}')
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        raise UserError(f'{folder} cannot be written: {error.strerror}. Choose another folder.') from error
    try:
        yield aside
        _rename_into_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_replaceable(folder: Path, mark: str, overwrite: bool) -> None:
    """Raises `UserError` if something stands at `folder` that `replacing` would not replace."""
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / mark).is_file():
        raise UserError(f'{folder} exists and holds something else: it has no {mark}. Choose another folder.')
    if not overwrite:
        raise UserError(f'{folder} exists already. Pass --overwrite to replace it, or choose another folder.')


def check_file(file: Path, overwrite: bool) -> None:
    """Raises `UserError` if something stands at `file` that may not be replaced."""
    if file.is_dir():
        raise UserError(f'{file} is a folder. Choose a name for the file.')
    if os.path.lexists(file) and not overwrite:
        raise UserError(f'{file} exists already. Pass --overwrite to replace it, or choose another place.')
    above = next(each for each in file.absolute().parents if os.path.lexists(each))
    if not above.is_dir():
        raise UserError(f'{file} cannot be written: {above} is no folder. Choose another place.')


def write_file(file: Path, content: bytes) -> None:
    """Writes a file whole or not at all, and the folders above it.

    Raises:
      UserError: there can be no such file.
    """
    aside = file.with_name(f'.{file.name}.tmp')
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(file)
    except OSError as error:
        raise UserError(f'{file} cannot be written: {error.strerror}. Choose another place.') from error


def topmost(path: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Finds folders at or below `path`, in order; none inside one that is wanted, nor in a hidden one.

    Raises:
      UserError: `path` is no folder, and the message names the nearest; or a folder cannot be read.
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
        below[:] = [each for each in below if not each.startswith('.')]  # writes that never ended
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


def _rename_into_place(aside: Path, folder: Path) -> None:
    """Renames `aside` to `folder`; what stood there is moved away first and deleted last."""
    if not folder.exists():
        aside.rename(folder)
        return
    old = aside.with_name(f'{aside.name}.old')
    folder.rename(old)
    try:
        aside.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old)
