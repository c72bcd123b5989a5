"""Paths as users write them. This module and its imports need the standard library alone."""

import os
import re
from pathlib import Path

from engine.errors import UserError

MAX_NAME_BYTES = 255


def check_workspace() -> None:
    """Raises `UserError` if `$WORKSPACE` names something that cannot be a folder."""
    if value := os.environ.get('WORKSPACE'):
        check_folder(Path(expanded(value)).absolute(), f'WORKSPACE={value}')


def expanded(path: str) -> str:
    """Returns a path with the home folder in place of `~`, as a shell replaces it in front of a path.

    >>> expanded('runs/~a')
    'runs/~a'

    Raises:
      UserError: there is no such user.
    """
    user = re.match(r'~[\w.-]*(?=/|$)', path)
    if not user:
        return path
    home = os.path.expanduser(user[0])  # noqa: PTH111 (a Path would drop slashes at the end)
    if home == user[0]:
        raise UserError(f'{path}: {user[0]} is not the home folder of a user. Write the whole path.')
    return home + path[user.end() :]


def check_folder(folder: Path, name: str) -> None:
    """Raises `UserError` if nothing at `folder` can be a folder.

    Args:
      folder: an absolute path, which need not exist.
      name: what the user wrote, for the message.
    """
    long = [part for part in folder.parts if len(os.fsencode(part)) > MAX_NAME_BYTES]
    if long:
        raise UserError(
            f'{name}: the name {long[0][:20]}... is longer than {MAX_NAME_BYTES} bytes. Shorten it.'
        )
    existing = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), folder)
    if not existing.is_dir() and os.path.lexists(existing):
        problem = 'is a link that leads nowhere' if existing.is_symlink() else 'is not a folder'
        raise UserError(f'{name}: {existing} {problem}. Choose another folder.')
