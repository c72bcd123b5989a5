"""Folders that only their owner may enter.

A run folder is private whatever the umask. Few people have chosen theirs, and a run holds code, data and
notes that are not published yet. The files inside keep the modes of the umask, so one command opens a run
to others: `chmod go+rx <run>`. Nothing closes it again.
"""

import contextlib
import os
import stat
from pathlib import Path

from engine.errors import UserError

FOLDER_MODE, FILE_MODE = 0o700, 0o600


def make(folder: Path) -> None:
    """Makes a private folder, or makes an existing one private, where the file system knows modes."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # another user's folder, or a file system without modes
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~0o077)


def check(folder: Path) -> None:
    """Raises `UserError` if a folder exists that this user may not enter."""
    if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):  # noqa: PTH112 (a Path may raise)
        raise UserError(f'{folder} is private to {_owner(folder)}, who can open it: chmod -R go+rX {folder}')


def _owner(folder: Path) -> str:
    try:
        return folder.owner()
    except (KeyError, OSError):
        return str(folder.stat().st_uid)
