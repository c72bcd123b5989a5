"""The first difference between two outputs folders, to the byte."""

from pathlib import Path

import numpy as np

from engine.outputs.contents import PAGE
from engine.outputs.manifest import read_manifest


def difference(stored: Path, repeated: Path) -> str:
    """Returns the first difference between two outputs folders; '' if there is none.

    Args:
      stored: an outputs folder.
      repeated: the folder that should be equal.
    """
    old, new = read_manifest(stored), read_manifest(repeated)
    for key in ('kind', 'class_names', 'examples'):
        if getattr(old, key) != getattr(new, key):
            return f'{key} was {getattr(old, key)!r}, is {getattr(new, key)!r}'
    compared = (old.files.keys() | new.files.keys()) - {PAGE}  # it shows the other files, and the checkpoint
    for name in sorted(compared, key=_arrays_first):
        one, other = stored / name, repeated / name
        if not (one.is_file() and other.is_file()):
            return f'{name} {"is new" if other.is_file() else "is missing"}'
        if one.read_bytes() != other.read_bytes():
            return f'{name} {_first_value(one, other) or "differs"}'
    return ''


def _arrays_first(name: str) -> tuple[bool, str]:
    return not name.endswith('.npy'), name


def _first_value(one: Path, other: Path) -> str:
    """Returns the first value in which two array files differ; '' for other and for damaged files."""
    try:
        old, new = (np.load(path, allow_pickle=False) for path in (one, other))
    except (OSError, ValueError):
        return ''
    if (old.shape, old.dtype) != (new.shape, new.dtype):
        return f'was {old.dtype} {list(old.shape)}, is {new.dtype} {list(new.shape)}'
    differing = np.argwhere((old != new) & ((old == old) | (new == new)))  # NaN equals NaN
    if not len(differing):
        return ''
    place = tuple(map(int, differing[0]))
    return (
        f'was {old[place]!s}, is {new[place]!s} at {list(place)}, the first of {len(differing)} differences'
    )
