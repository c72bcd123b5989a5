"""What a destination of copies is, and what all destinations share."""

import hashlib
import importlib
import re
import sys
from pathlib import Path
from typing import Any, Protocol

from engine.errors import UserError
from engine.mirrors.mark import Mark
from engine.mirrors.mirrored_run import MirroredRun, Tables


class Destination(Protocol):
    """Where runs are copied to.

    A destination keeps the mark of each copy beside the copy, so that both are lost together.

    Attributes:
      place: the folder or address, as people read it.
      look: the command that shows the copies.
    """

    place: str
    look: str

    def mark(self, run: MirroredRun) -> Mark:
        """Returns the mark of the copy of a run; an empty one if there is none, or an unfinished one."""
        ...

    def write(self, run: MirroredRun, rows: Tables, mark: Mark, replace: bool) -> None:
        """Adds rows to the copy of a run, and then leaves the mark.

        Args:
          run: the run.
          rows: its new rows; all of them if `replace`.
          mark: what the copy holds afterwards.
          replace: whether what the destination holds of the run is dropped first.
        """
        ...


def package(name: str, oldest: tuple[int, int] = (3, 11)) -> Any:
    """Imports the package of a destination.

    Args:
      name: of the package.
      oldest: the oldest Python that it can be installed for.

    Raises:
      UserError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if sys.version_info[:2] < oldest:
            raise UserError(
                f'{name} needs Python {oldest[0]}.{oldest[1]} or newer, and {sys.executable} is older. Set '
                'MIRRORS_PYTHON to a newer Python that has the packages of requirements-mirrors.txt.'
            ) from error
        raise UserError(
            f'{sys.executable} lacks the package {error.name}. scripts/mirror.sh without ENV=existing '
            'installs it into .venv-mirrors; or install what requirements-mirrors.txt lists.'
        ) from error


def program(name: str) -> str:
    """Returns how to call a program of a destination: by its path, if it is installed beside this Python."""
    path = Path(sys.executable).with_name(name)
    return str(path) if path.exists() else name


def accepted(name: str, others: str, longest: int = 200) -> str:
    r"""Returns a name that a destination accepts; different names stay different.

    >>> accepted('val/top@5', r'[^\w./ -]')
    'val/top_5-11ec8a'

    Args:
      name: of a run, a metric or a parameter.
      others: a regular expression of the characters that the destination refuses.
      longest: characters of the longest name that it accepts.
    """
    replaced = re.sub(others, '_', name)[:longest]
    return name if replaced == name else f'{replaced[: longest - 7]}-{digest(name)[:6]}'


def digest(name: str) -> str:
    """Returns 16 hexadecimal digits that stand for a name."""
    return hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:16]
