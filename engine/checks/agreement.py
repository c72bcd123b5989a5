"""How far predictions are what they should be, by the kind of outputs that they are."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.interfaces import Description


def agreement(
    description: Description, predicted: Mapping[str, np.ndarray], batch: Mapping[str, Any]
) -> float | None:
    """Returns the share of a batch's truth that is predicted: 1 if all of it is, 0 or less if nothing is.

    None where the kind of outputs has no truth, or the data do not tell it.
    """
    measure = _MEASURES.get(description.kind)
    truth = {name: np.asarray(batch[field]) for name, field in description.truth.items() if field in batch}
    return measure(predicted, truth) if measure and truth else None


def _classes(predicted: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> float:
    scores = predicted.get('logits', predicted.get('probabilities'))
    assert scores is not None, 'the kind of outputs asks for one of the two'
    return float(np.mean(scores.argmax(-1) == truth['labels']))


def _masks(predicted: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> float:
    return float(np.mean(predicted['masks'] == truth['targets']))


def _explained(name: str) -> Callable[..., float]:
    """Returns the share of the variance that is explained, of an array of numbers."""

    def measure(predicted: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray]) -> float:
        found, target = predicted[name].astype(np.float64), truth['targets'].astype(np.float64)
        return float(1 - np.mean((found - target) ** 2) / max(np.var(target), 1e-12))

    return measure


_MEASURES: Mapping[str, Callable[..., float]] = {
    'classification': _classes,
    'segmentation': _masks,
    'regression': _explained('values'),
    'image': _explained('images'),
}
