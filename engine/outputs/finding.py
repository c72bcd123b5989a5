"""Finds outputs folders."""

from collections.abc import Iterable
from pathlib import Path

from engine import files
from engine.errors import UserError
from engine.outputs.contents import IDS, MANIFEST


def is_outputs(folder: Path) -> bool:
    """Returns whether a folder holds outputs, finished or not; `read` refuses unfinished ones."""
    return (folder / MANIFEST).is_file() or (folder / IDS).is_file()


def find(paths: Iterable[str | Path]) -> list[Path]:
    """Finds outputs folders.

    Args:
      paths: outputs folders, or folders that hold some at any depth, such as a run.

    Returns:
      The outputs folders without duplicates, in the order of `paths`, and by name below one path.

    Raises:
      UserError: a path does not exist or holds no outputs.
    """
    folders: dict[Path, Path] = {}
    for path in paths:
        for folder in _find_below(Path(path)):
            folders.setdefault(folder.resolve(), folder)
    return list(folders.values())


def _find_below(path: Path) -> list[Path]:
    folders = files.topmost(path, is_outputs)
    if not folders:
        raise UserError(
            f'{path}: no outputs in it or below it: there is no {MANIFEST}. '
            'Write them with scripts/predict.sh.'
        )
    return folders
