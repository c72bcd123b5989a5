"""The runs that a user names on the command line of `scripts/runs.sh`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UserError
from engine.run_reader.catalogue import folders
from engine.workspace import workspace


def some(arguments: argparse.Namespace) -> Sequence[str]:
    """Returns the runs that the user named; raises `UserError` if there are none."""
    if not arguments.runs:
        raise UserError(f'{arguments.command} needs a RUN. scripts/runs.sh lists the names.')
    return arguments.runs


def below(paths: Sequence[str], problems: list[str]) -> list[Path]:
    """Returns the runs below some folders, by default those of the workspace."""
    if not paths:
        return folders.in_workspace(problems)
    return folders.find([_place(path) for path in paths], problems)


def is_folder(path: str) -> bool:
    """Whether a folder is called so by the user or the table."""
    return any(place.is_dir() for place in _places(path))


def _place(path: str) -> Path:
    return next((place for place in _places(path) if place.is_dir()), None) or folders.one(path)


def _places(path: str) -> list[Path]:
    return [Path(path), workspace() / 'runs' / path, workspace() / path]
