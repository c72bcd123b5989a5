"""Folders that appear whole or not at all; short names for several. Imports the standard library alone."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from research.errors import UserError


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
