"""A progress bar for long loops over examples. It appears on terminals only."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar('Item')


def bar(items: Iterable[Item], count: int, description: str) -> Iterator[Item]:
    """Yields `items` and shows how many of `count` have been yielded."""
    from rich.console import Console
    from rich.progress import track

    console, is_hidden = Console(stderr=True), not sys.stderr.isatty()
    yield from track(items, description, count, console=console, transient=True, disable=is_hidden)
