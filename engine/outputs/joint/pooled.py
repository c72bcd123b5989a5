"""Outputs of different examples as one, such as the test parts of all folds of a cross-validation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.outputs import kind_folders
from engine.outputs.kind import Kind
from engine.outputs.outputs import Outputs
from engine.outputs.pictures import sequence
from engine.outputs.pictures.sequence import Pictures


def pooled(parts: Sequence[Outputs]) -> Outputs:
    """Returns the examples of all parts, one part after another. Boxes follow their examples.

    Args:
      parts: outputs of one kind, without common ids. Arrays that a part lacks are left out.
    """
    first, ids = parts[0], tuple(identity for part in parts for identity in part.ids)
    declared = kind_folders.declaration(first.kind)
    arrays = {
        name: _concatenated(declared, parts, name)
        for name in first.arrays
        if all(name in part.arrays for part in parts)
    }
    return replace(first, manifest=replace(first.manifest, run='', examples=len(ids)), ids=ids, arrays=arrays)


def _concatenated(declared: Kind, parts: Sequence[Outputs], name: str) -> Any:
    arrays: list[Any] = [part.arrays[name] for part in parts]
    if name in declared.owners:
        firsts = np.cumsum([0, *(len(part.ids) for part in parts[:-1])])
        arrays = [array + array.dtype.type(first) for array, first in zip(arrays, firsts, strict=True)]
    varies = any(isinstance(array, Pictures) or array.shape[1:] != arrays[0].shape[1:] for array in arrays)
    return _pictures(arrays) if varies and declared.field(name).may_vary else np.concatenate(arrays)


def _pictures(parts: Sequence[Any]) -> Pictures:
    """Returns the pictures of several `Pictures` and arrays, one part after another."""
    ends = np.cumsum([len(part) for part in parts])

    def load(row: int) -> np.ndarray:
        part = int(np.searchsorted(ends, row, side='right'))
        return np.asarray(parts[part][row - (ends[part] - len(parts[part]))])

    first = parts[0][0]
    heights_and_widths = np.concatenate([sequence.sizes(part) for part in parts])
    return Pictures(load, heights_and_widths, first.dtype, first.shape[2] if first.ndim == 3 else None)
