"""Selections of examples: a subset, another order, or repeated examples."""

from dataclasses import replace

import numpy as np

from engine.outputs import kind_folders
from engine.outputs.outputs import Outputs


def of_ids(outputs: Outputs, ids: tuple[str, ...]) -> Outputs:
    """Returns the outputs of these ids in this order. Boxes and texts follow the order of their examples."""
    owners = kind_folders.declaration(outputs.kind).owners
    if outputs.ids == ids and not any(name in owners for name in outputs.arrays):
        return outputs  # its arrays stay memory-mapped
    rows = {identity: row for row, identity in enumerate(outputs.ids)}
    return take(outputs, np.array([rows[identity] for identity in ids], int))


def take(outputs: Outputs, rows: np.ndarray) -> Outputs:
    """Returns the outputs of some examples, in any order and with repetitions, their boxes and their texts.

    Args:
      outputs: outputs of n examples.
      rows: indices of examples, int [any], all below n.
    """
    declared = kind_folders.declaration(outputs.kind)
    taken, owners = {'n': rows}, {}
    for name in declared.owners:
        if name in outputs.arrays:
            boxes, owners[name] = _owned(outputs.arrays[name], rows, len(outputs.ids))
            taken[declared.rows(name)] = boxes
    for axis, name in declared.lengths.items():
        if name in outputs.arrays:
            counts = entries(outputs.arrays[name])
            taken[axis] = _ranges(np.cumsum(counts) - counts, counts, taken[declared.rows(name)])[0]
    arrays = {name: _taken(array, declared.rows(name), taken) for name, array in outputs.arrays.items()}
    return replace(outputs, ids=tuple(outputs.ids[row] for row in rows), arrays=arrays | owners)


def entries(lengths: np.ndarray) -> np.ndarray:
    """Returns the number of entries that belong to each row of an array of lengths, int64 [rows]."""
    return lengths.sum(tuple(range(1, lengths.ndim)), dtype=np.int64)


def _taken(array: np.ndarray, axis: str, taken: dict[str, np.ndarray]) -> np.ndarray:
    return array[taken[axis]] if axis in taken else array


def _owned(owner: np.ndarray, rows: np.ndarray, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of the boxes to take, int [boxes], and their new examples, like `owner`."""
    order = np.argsort(owner, kind='stable')
    counts = np.bincount(owner, minlength=examples)
    places, examples_of = _ranges(np.cumsum(counts) - counts, counts, rows)
    return order[places], examples_of.astype(owner.dtype)


def _ranges(firsts: np.ndarray, counts: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places of the entries of some rows, one row after another, and the number of each's row.

    Args:
      firsts: place of the first entry of each row, int [n].
      counts: number of entries of each row, int [n].
      rows: the rows to take, int [any].

    Returns:
      int [entries] and int [entries].
    """
    lengths = counts[rows]
    taken = np.repeat(np.arange(len(rows)), lengths)
    within = np.arange(len(taken)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return firsts[rows][taken] + within, taken
