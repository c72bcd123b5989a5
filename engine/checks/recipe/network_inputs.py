"""What enters the network: its numbers, its pictures, and what augmentation makes of it."""

from functools import partial
from typing import Any

import numpy as np

from engine.checks import figures
from engine.checks.finding import Finding, judged, skipped
from engine.checks.subject import Subject, rows, shuffled
from engine.interfaces import INDEX

# Initialisers expect inputs of variance about 1 around 0. Digits on an empty ground, between 0 and 1, have a
# deviation of 0.3; bytes that were never scaled have 50 to 80, and such scaled twice less than 0.005.
MEAN, DEVIATION = 2.0, (0.03, 4.0)
KEYS = 8  # drawings of the same examples


def inputs(subject: Subject) -> Finding:
    """What enters the network is finite, of a size that initialisers expect, and differs between examples."""
    batch = subject.experiment.batch(0)
    seen = subject.inputs(batch, 0)
    numbers = {name: each for name, each in seen.items() if np.issubdtype(each.dtype, np.floating)}
    if not numbers:
        return skipped('nothing that enters is a floating-point number')
    wrong = [f'{name} {problem}' for name, each in numbers.items() if (problem := _problem(each))]
    found = '; '.join(
        f'{name} {list(each.shape)}: {each.min():.3g} to {each.max():.3g}, mean {each.mean():.2g}, '
        f'deviation {each.std():.2g}'
        for name, each in numbers.items()
    )
    pictures: dict[str, Any] = {'Values that enter': partial(figures.histogram, numbers)}
    for name, each in seen.items():
        if figures.is_picture(each):
            pictures[f'First batch, {name}'] = partial(figures.sheet, each, _captions(subject, batch))
    return judged(
        not wrong,
        '; '.join(wrong) or found,
        'Scale inputs to about mean 0 and deviation 1, and once: look whether it is done before as well.',
        pictures,
    )


def _problem(values: np.ndarray) -> str:
    if not np.all(np.isfinite(values)):
        return 'is not finite'
    if len(values) > 1 and np.all(values == values[:1]):
        return 'is the same for all examples'
    if abs(values.mean()) > MEAN or not DEVIATION[0] <= values.std() <= DEVIATION[1]:
        return f'has mean {values.mean():.3g} and deviation {values.std():.3g}'
    return ''


def _captions(subject: Subject, batch: dict[str, Any]) -> list[str]:
    """Returns the truth of each example, where it is one number: the name of its class if there are names."""
    names = subject.experiment.data.spec.class_names
    truth = next((batch[field] for field in subject.truth if batch[field].ndim == 1), None)
    if truth is None:
        return [''] * len(batch[INDEX])
    named = np.issubdtype(truth.dtype, np.integer) and 0 <= truth.min() <= truth.max() < len(names)
    return [names[int(each)] if named else f'{each:g}' for each in truth]


def augmentation(subject: Subject) -> Finding:
    """Augmentation changes from key to key, and what it makes of an example depends on that example alone."""
    batch = subject.experiment.batch(0)
    drawn = [subject.inputs(batch, step) for step in range(KEYS)]
    name, first = next(iter(drawn[0].items()))
    if all(np.array_equal(first, each[name]) for each in drawn):
        return skipped('what enters is the same with every key: there is none')
    pixels = tuple(range(1, first.ndim))
    changed = np.mean([np.any(first != each[name], axis=pixels) for each in drawn[1:]])
    order = shuffled(batch)
    there = subject.inputs(rows(batch, order), 0)
    independent = all(np.allclose(each[order], there[field], atol=1e-5) for field, each in drawn[0].items())
    pictures = {'Augmentations': partial(figures.sheet, *_side_by_side(subject, batch, drawn, name))}
    return judged(
        independent,
        f'{changed:.0%} of examples change with the key, '
        + ('each by itself' if independent else 'and with the other examples of the batch'),
        'Draw randomness by `interfaces.keys_by_row(key, batch)`, so that a batch can be split over '
        'devices. What mixes examples on purpose states it as an exception.',
        pictures if figures.is_picture(first) else None,
    )


def _side_by_side(
    subject: Subject, batch: dict[str, Any], drawn: list[dict[str, np.ndarray]], name: str
) -> tuple[np.ndarray, list[str]]:
    """Returns some examples, a row of pictures each, one per key, and their captions."""
    captions = _captions(subject, batch)
    shown = range(min(4, len(captions)))
    images = [each[name][index] for index in shown for each in drawn]
    return np.stack(images), [f'{captions[index]}  key {key}' for index in shown for key in range(KEYS)]
