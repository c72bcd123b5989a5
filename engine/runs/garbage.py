"""Pauses Python's garbage collection, whose time grows with the number of all objects.

While libraries are imported or files are parsed, hardly any object becomes garbage, but the collector would
search all of them again and again.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Collects no garbage inside."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def pause_collection() -> None:
    """Collects no garbage from here on: a program that is about to import its libraries."""
    gc.disable()


def resume_collection() -> None:
    """Collects garbage again if that was paused. What exists now, such as libraries, is left out for good."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
