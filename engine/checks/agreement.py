"""Compares predictions: with the targets of a batch, and with other predictions."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.interfaces import Description
from engine.outputs import kind_folders

# The largest differences that rounding may cause. For floats, a share of the largest value; for classes and
# pixels, a share of all elements, because rounding may tip a few of them.
MAX_FLOAT_DIFFERENCE, MAX_ELEMENT_SHARE = 1e-4, 1e-3

Predictions = Mapping[str, np.ndarray]


def agreement(description: Description, predictions: Predictions, batch: Mapping[str, Any]) -> float | None:
    """Returns how well predictions match the targets of a batch: 1 if perfectly, 0 or less if not at all.

    The kind of outputs states the measure. The result is None if the kind has no targets, or the data do not
    hold them.
    """
    measure = kind_folders.declaration(description.kind).agreement
    truth = {name: np.asarray(batch[field]) for name, field in description.truth.items() if field in batch}
    return measure(predictions, truth) if measure and truth else None


def difference(expected: Predictions, actual: Predictions) -> float:
    """Returns the largest difference of two predictions, as a multiple of what rounding may cause."""
    return max(_array_difference(expected[name], actual[name]) for name in expected)


def _array_difference(one: np.ndarray, other: np.ndarray) -> float:
    if not np.issubdtype(one.dtype, np.floating):
        return float(np.mean(one != other)) / MAX_ELEMENT_SHARE
    scale = max(float(np.max(np.abs(one))), 1e-12)
    multiple = float(np.max(np.abs(one - other))) / scale / MAX_FLOAT_DIFFERENCE
    return multiple if np.isfinite(multiple) else float('inf')


def difference_text(multiple: float) -> str:
    """Returns a result of `difference` in words.

    >>> difference_text(0.5)
    'the same'
    """
    return 'the same' if multiple <= 1 else f'{multiple * MAX_FLOAT_DIFFERENCE:.2g} different'
