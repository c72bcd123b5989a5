"""Outputs of other examples: some of them, in another order, or some of them several times."""

from dataclasses import replace

import numpy as np

from engine.outputs import kind
from engine.outputs.outputs import Outputs


def of_ids(found: Outputs, ids: tuple[str, ...]) -> Outputs:
    """Returns the outputs of these ids, in this order; boxes and the like in the order of their examples."""
    fields = kind.KINDS[found.kind].arrays
    if found.ids == ids and not any(fields[name].below == 'n' for name in found.arrays):
        return found  # its arrays stay mapped from their files
    places = {each: index for index, each in enumerate(found.ids)}
    return take(found, np.array([places[each] for each in ids], int))


def take(found: Outputs, rows: np.ndarray) -> Outputs:
    """Takes examples, each as often as it is named; boxes and the like go with their examples.

    Args:
      found: outputs of n examples.
      rows: which examples, int [any], each below n.
    """
    fields = kind.KINDS[found.kind].arrays
    places, owners = {'n': rows}, {}
    for name, array in found.arrays.items():
        if fields[name].below == 'n':
            places[fields[name].axes], owners[name] = _owned(array, rows, len(found.ids))
    arrays = {
        name: _taken(array, fields[name].axes.split()[0], places) for name, array in found.arrays.items()
    }
    return replace(found, ids=tuple(found.ids[row] for row in rows), arrays=arrays | owners)


def _taken(array: np.ndarray, axis: str, places: dict[str, np.ndarray]) -> np.ndarray:
    return array[places[axis]] if axis in places else array


def _owned(owner: np.ndarray, rows: np.ndarray, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns which boxes to take, int [boxes], and the new example of each, of the dtype of `owner`."""
    order = np.argsort(owner, kind='stable')
    counts = np.bincount(owner, minlength=examples)
    firsts = np.cumsum(counts) - counts  # where the boxes of each example begin, in that order
    lengths = counts[rows]
    examples_of = np.repeat(np.arange(len(rows)), lengths)
    within = np.arange(len(examples_of)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return order[firsts[rows][examples_of] + within], examples_of.astype(owner.dtype)
