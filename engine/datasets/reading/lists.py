"""Reads the lists of a dataset, which name the original file of each example."""

from pathlib import Path

from engine import lists


def describe_example(identity: str, file: Path) -> str:
    """Returns the id of an example with its original file, such as `example '0007' (/data/0007.png)`.

    Args:
      identity: the id of the example.
      file: the list of its split. Without such a file, or without the id in it, only the id is returned.
    """
    path = original_files(file).get(identity)
    return f'example {identity!r} ({path})' if path else f'example {identity!r}'


def original_files(file: Path) -> dict[str, str]:
    """Returns the original file of each id in the list of a split, {} without such a list."""
    if not file.is_file():
        return {}
    return {row['id']: row['path'] for row in lists.read(file, 'id', 'path').rows}
