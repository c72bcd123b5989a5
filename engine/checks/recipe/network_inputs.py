"""Checks the network's inputs: their scale, and what augmentation does to them."""

from functools import partial
from typing import Any

import numpy as np

from engine.checks import figures
from engine.checks.experiment_under_test import ExperimentUnderTest, rows, shuffled
from engine.checks.finding import Finding, judged, skipped
from engine.interfaces import INDEX
from engine.render.contact_sheet import is_picture

# Initialisers expect inputs with mean 0 and variance 1. Digits on an empty ground, between 0 and 1, have a
# deviation of 0.3, unscaled bytes have 50 to 80, and bytes that were scaled twice have less than 0.005.
MAX_MEAN, DEVIATION_RANGE = 2.0, (0.03, 4.0)
KEYS = 8  # keys with which the same examples are augmented
MAX_EXAMPLES = 4  # examples in the picture of augmentations


def network_inputs(experiment: ExperimentUnderTest) -> Finding:
    """The network's inputs are finite, differ between examples, and have the scale initialisers expect."""
    batch = experiment.experiment.batch(0)
    inputs = experiment.network_inputs(batch, 0)
    floats = {name: array for name, array in inputs.items() if np.issubdtype(array.dtype, np.floating)}
    if not floats:
        return skipped('the network has no floating-point inputs')
    problems = [f'{name} {problem}' for name, array in floats.items() if (problem := _problem(array))]
    pictures: dict[str, Any] = {'Input values': partial(figures.histogram, floats)}
    for name, array in inputs.items():
        if is_picture(array):
            pictures[f'First batch, {name}'] = partial(figures.sheet, array, _captions(experiment, batch))
    return judged(
        not problems,
        '; '.join(problems or map(_summary, floats, floats.values())),
        'Scale inputs to about mean 0 and deviation 1, and only once.',
        pictures,
    )


def _summary(name: str, array: np.ndarray) -> str:
    return (
        f'{name} {list(array.shape)}: {array.min():.3g} to {array.max():.3g}, mean {array.mean():.2g}, '
        f'deviation {array.std():.2g}'
    )


def _problem(values: np.ndarray) -> str:
    if not np.all(np.isfinite(values)):
        return 'is not finite'
    if len(values) > 1 and np.all(values == values[:1]):
        return 'is the same for all examples'
    if abs(values.mean()) > MAX_MEAN or not DEVIATION_RANGE[0] <= values.std() <= DEVIATION_RANGE[1]:
        return f'has mean {values.mean():.3g} and deviation {values.std():.3g}'
    return ''


def _captions(experiment: ExperimentUnderTest, batch: dict[str, Any]) -> list[str]:
    """Returns the class or the number that each example has as its target, '' for other targets."""
    names = experiment.experiment.class_names
    truth = next((batch[field] for field in experiment.truth_fields if batch[field].ndim == 1), None)
    if truth is None:
        return [''] * len(batch[INDEX])
    is_class = np.issubdtype(truth.dtype, np.integer) and 0 <= truth.min() <= truth.max() < len(names)
    return [names[int(value)] if is_class else f'{value:g}' for value in truth]


def augmentation(experiment: ExperimentUnderTest) -> Finding:
    """Augmentation changes with the key, and treats each example independently of the others."""
    batch = experiment.experiment.batch(0)
    draws = [experiment.network_inputs(batch, step) for step in range(KEYS)]
    random = [name for name in draws[0] if any(_differ(draws[0][name], inputs[name]) for inputs in draws)]
    if not random:
        return skipped('there is no augmentation: inputs are the same with every key')
    name, first = random[0], draws[0][random[0]]
    axes = tuple(range(1, first.ndim))
    changed = np.mean([np.any(first != inputs[name], axis=axes) for inputs in draws[1:]])
    order = shuffled(batch)
    reordered = experiment.network_inputs(rows(batch, order), 0)
    is_independent = all(
        np.allclose(inputs[order], reordered[field], atol=1e-5) for field, inputs in draws[0].items()
    )
    pictures = {'Augmentations': partial(figures.sheet, *_side_by_side(experiment, batch, draws, name))}
    return judged(
        is_independent,
        f'{changed:.0%} of examples change with the key, '
        + ('each by itself' if is_independent else 'and with the other examples of the batch'),
        'Draw random numbers by `interfaces.keys_by_row(key, batch)`, so that a batch can be split over '
        'devices. If examples are mixed on purpose, state an exception.',
        pictures if is_picture(first) else None,
    )


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    return not np.array_equal(one, other, equal_nan=one.dtype.kind in 'fc')


def _side_by_side(
    experiment: ExperimentUnderTest, batch: dict[str, Any], draws: list[dict[str, np.ndarray]], name: str
) -> tuple[np.ndarray, list[str]]:
    """Returns a row of images for each of some examples, one image per key, and their captions."""
    captions = _captions(experiment, batch)
    indices = range(min(MAX_EXAMPLES, len(captions)))
    images = [inputs[name][index] for index in indices for inputs in draws]
    return np.stack(images), [f'{captions[index]}  key {key}' for index in indices for key in range(KEYS)]
