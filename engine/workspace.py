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


def project() -> str:
    """Returns the project's name in pyproject.toml."""
    return tomllib.loads((REPOSITORY / 'pyproject.toml').read_text(encoding='utf-8'))['project']['name']
