"""The declaration of a kind of outputs: its arrays, and how a task's predictions become them.

A kind is a folder: `engine/kinds/<kind>/`, or `research/kinds/<kind>/` in a project. Its `__init__.py`
declares `KIND` and imports NumPy alone, because training and prediction load it. `evaluate.py` beside it
evaluates the kind, as `engine.evaluation.kind_evaluation` describes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Field:
    """One array of a kind.

    Attributes:
      dtype: name of its NumPy dtype.
      axes: one word per axis. A number is the axis's length. Axes of one name have one length in the whole
        folder: `n` is the number of examples, `classes` that of the classes.
      below: the axis that the array's values are indices of, or '' if they are not indices.
      also: name of another dtype that the array may have, or ''.
    """

    dtype: str
    axes: str
    below: str = ''
    also: str = ''

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that the array may have."""
        return (self.also, self.dtype) if self.also else (self.dtype,)


# An array that no kind declares: any numbers, one row per example.
FURTHER = Field('', 'n')
# Thumbnails for people. Every kind whose predictions are made from images declares them.
INPUTS = {'inputs': Field('uint8', 'n ih iw ic')}


def _as_they_are(arrays: Arrays) -> dict[str, np.ndarray]:
    return dict(arrays)


@dataclass(frozen=True)
class Kind:
    """What outputs of one kind hold.

    Attributes:
      arrays: the kind's arrays by name. A folder may hold further arrays of n rows, for metrics of its own.
      needs: groups of names. Exactly one array of each group must be there; all other arrays may be missing.
      from_data: names of the arrays that the data state, such as labels. No model may change them.
      pack: makes these arrays from a task's predictions and labels, each [n, ...] on arrival.
      table: makes the columns of predictions.csv from arrays, ids and class names; None if there is none.
      agreement: returns how well predictions agree with labels, for the checks of an experiment: 1 if they
        are the same, 0 or less if they have nothing in common. None if the kind has no labels.
    """

    arrays: Mapping[str, Field]
    needs: tuple[tuple[str, ...], ...]
    from_data: tuple[str, ...] = ()
    pack: Callable[[Arrays], dict[str, np.ndarray]] = _as_they_are
    table: Callable[[Arrays, Sequence[str], Sequence[str]], dict[str, Sequence[str]]] | None = None
    agreement: Callable[[Arrays, Arrays], float] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The optional arrays that state what is true of each example; () if the kind has none."""
        needed = {name for group in self.needs for name in group}
        labels = tuple(name for name in self.from_data if name not in needed)
        return labels if any('n' in (self.rows(name), self.arrays[name].below) for name in labels) else ()

    @property
    def owners(self) -> tuple[str, ...]:
        """The arrays that state of which example each row of their first axis is, such as that of a box."""
        return tuple(name for name, field in self.arrays.items() if field.below == 'n')

    def field(self, name: str) -> Field:
        """Returns the declaration of an array, `FURTHER` if there is none."""
        return self.arrays.get(name, FURTHER)

    def rows(self, name: str) -> str:
        """Returns the first axis of an array."""
        return self.field(name).axes.split()[0]


def explained_variance(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Returns the share of the targets' variance that predictions explain: 1 if they are equal.

    Args:
      predictions: numbers [n, ...].
      targets: numbers of the same shape.
    """
    errors = predictions.astype(np.float64) - targets
    return float(1 - np.mean(errors**2) / max(np.var(targets.astype(np.float64)), 1e-12))
