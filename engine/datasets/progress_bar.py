"""A bar on a terminal, nothing elsewhere, while many examples are gone through."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar('Item')


def bar(items: Iterable[Item], count: int, what: str) -> Iterator[Item]:
    """Yields `items`, `count` of them, and shows how many have been taken."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(items, what, count, console=console, transient=True, disable=not sys.stderr.isatty())
