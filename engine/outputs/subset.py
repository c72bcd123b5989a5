"""Selections of examples: a subset, another order, or repeated examples."""

from dataclasses import replace

import numpy as np

from engine.outputs import kind_folders
from engine.outputs.outputs import Outputs


def of_ids(outputs: Outputs, ids: tuple[str, ...]) -> Outputs:
    """Returns the outputs of these ids in this order. Boxes follow the order of their examples."""
    owners = kind_folders.declaration(outputs.kind).owners
    if outputs.ids == ids and not any(name in owners for name in outputs.arrays):
        return outputs  # its arrays stay memory-mapped
    rows = {identity: row for row, identity in enumerate(outputs.ids)}
    return take(outputs, np.array([rows[identity] for identity in ids], int))


def take(outputs: Outputs, rows: np.ndarray) -> Outputs:
    """Returns the outputs of some examples, in any order and with repetitions, and their boxes.

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
    arrays = {name: _taken(array, declared.rows(name), taken) for name, array in outputs.arrays.items()}
    return replace(outputs, ids=tuple(outputs.ids[row] for row in rows), arrays=arrays | owners)


def _taken(array: np.ndarray, axis: str, taken: dict[str, np.ndarray]) -> np.ndarray:
    return array[taken[axis]] if axis in taken else array


def _owned(owner: np.ndarray, rows: np.ndarray, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of the boxes to take, int [boxes], and their new examples, like `owner`."""
    order = np.argsort(owner, kind='stable')
    counts = np.bincount(owner, minlength=examples)
    firsts = np.cumsum(counts) - counts  # where the boxes of each example start in `order`
    lengths = counts[rows]
    examples_of = np.repeat(np.arange(len(rows)), lengths)
    within = np.arange(len(examples_of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return order[firsts[rows][examples_of] + within], examples_of.astype(owner.dtype)
