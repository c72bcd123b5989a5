"""Datasets that a program makes, and that no file holds."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from engine.datasets.expressions.expression import Expression
from engine.datasets.reading.dataset import Dataset, Examples
from engine.interfaces import Spec


def generated(
    expression: Expression,
    ids: Sequence[str],
    arrays: Mapping[str, np.ndarray],
    splits: Mapping[str, int],
    class_names: Mapping[str, tuple[str, ...]] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> Dataset:
    """Returns a dataset of examples that a program made, of no other dataset.

    The fingerprint depends on the examples themselves. It changes if the program makes others.

    Args:
      expression: what the config binds.
      ids: of all examples, one split after another; all are different.
      arrays: the fields of all examples, in the same order, each [n, ...].
      splits: the number of examples of `train`, `val` and `test`.
      class_names: for each field of classes, their names in the order of their indices.
      notes: what else there is to say of the dataset, such as a vocabulary, which JSON can hold.
    """
    fields = {name: jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for name, array in arrays.items()}
    ends = np.cumsum([*splits.values()]).tolist()
    rows = {split: slice(end - splits[split], end) for split, end in zip(splits, ends, strict=True)}
    names, notes = dict(class_names or {}), dict(notes or {})

    def make(split: str) -> Examples:
        return Examples([*ids[rows[split]]], {name: array[rows[split]] for name, array in arrays.items()})

    return Dataset(
        name=expression.text,
        version='',
        fingerprint=_fingerprint([dict(splits), list(ids), names, notes], arrays),
        spec=Spec(fields, names, notes),
        splits=dict(splits),
        make=make,
    )


def _fingerprint(values: Any, arrays: Mapping[str, np.ndarray]) -> str:
    """Returns the sha256 of values, which JSON can hold, and of arrays."""
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f'{name} {array.dtype.str} {array.shape}'.encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
