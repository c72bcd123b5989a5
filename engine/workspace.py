"""The repository, its workspace and its name. This module imports the standard library alone."""

import os
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def workspace() -> Path:
    """Returns the absolute folder of data and runs: `$WORKSPACE`, or `workspace/` in the repository.

    Each call reads the variable, so tests and notebooks may set it at any time. The folder may not exist.
    Programs check the variable (paths.py).
    """
    folder = os.path.expanduser(os.environ.get('WORKSPACE', ''))  # noqa: PTH111 (a Path raises without a home)
    return Path(folder or REPOSITORY / 'workspace').absolute()


def located(path: str | Path) -> Path:
    """Returns where a path of a config lies: a relative one starts at the repository.

    `scripts/reproduce.sh` trains in a copy of the code. What that copy lacks, such as data that git ignores
    or data beside the repository, starts at `$PATHS_FROM`, the repository from which it was copied.

    Args:
      path: without `~`.
    """
    home, own = os.environ.get('PATHS_FROM'), REPOSITORY / path
    is_inside = Path(os.path.normpath(own)).is_relative_to(REPOSITORY)
    return own if not home or (is_inside and own.exists()) else Path(home, path)


def project() -> str:
    """Returns the project's name in pyproject.toml."""
    return tomllib.loads((REPOSITORY / 'pyproject.toml').read_text(encoding='utf-8'))['project']['name']
