"""Outputs of different examples as one, such as the test parts of all folds of a cross-validation."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.outputs import kind_folders
from engine.outputs.kind import Kind
from engine.outputs.outputs import Outputs


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


def _concatenated(declared: Kind, parts: Sequence[Outputs], name: str) -> np.ndarray:
    arrays = [part.arrays[name] for part in parts]
    if name in declared.owners:
        firsts = np.cumsum([0, *(len(part.ids) for part in parts[:-1])])
        arrays = [array + array.dtype.type(first) for array, first in zip(arrays, firsts, strict=True)]
    return np.concatenate(arrays)
