"""How well predictions agree with the labels, as their kind of outputs measures it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.interfaces import Description
from engine.outputs import kind_folders


def agreement(
    description: Description, predicted: Mapping[str, np.ndarray], batch: Mapping[str, Any]
) -> float | None:
    """Returns the share of a batch's labels that is predicted: 1 if all are, 0 or less if none are.

    None if the kind of outputs has no labels, or the data do not state them.
    """
    measure = kind_folders.declaration(description.kind).agreement
    labels = {name: np.asarray(batch[field]) for name, field in description.truth.items() if field in batch}
    return measure(predicted, labels) if measure and labels else None
