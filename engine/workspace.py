"""Where things are: the repository, its workspace, its name. Imports the standard library alone."""

import os
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def workspace() -> Path:
    """Returns the absolute folder of all bytes: `$WORKSPACE`, or `workspace/` in the repository.

    Read at each call, so that a test or a notebook may set it at any time. It need not exist.
    """
    return Path(os.environ.get('WORKSPACE') or REPOSITORY / 'workspace').expanduser().absolute()


def project() -> str:
    """Returns the project's name, as pyproject.toml states it."""
    return tomllib.loads((REPOSITORY / 'pyproject.toml').read_text(encoding='utf-8'))['project']['name']
