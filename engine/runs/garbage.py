"""The search of Python for unreachable objects, which looks at all of them again and again during imports."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused(keep: bool = False) -> Iterator[None]:
    """Collects no garbage inside.

    Args:
      keep: whether all that exists at the end, such as imported modules, is never looked at again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if keep:
            gc.freeze()
        if was_enabled:
            gc.enable()
