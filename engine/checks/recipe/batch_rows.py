"""Whether each example is predicted by itself, from what may be known, and counted once."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.checks.finding import Finding, judged, skipped
from engine.checks.memorisation import memory
from engine.checks.subject import Arrays, Subject, rows, shuffled
from engine.errors import UserError
from engine.interfaces import INDEX, VALID
from engine.outputs import kind_folders
from engine.outputs.check_arrays import check

# Of the largest value, for numbers; of all elements, for classes and pixels, of which rounding may tip a few.
NUMBERS, ELEMENTS = 1e-4, 1e-3


def independence(subject: Subject) -> Finding:
    """The prediction for an example does not depend on the others in its batch, nor on its place."""
    state, batch = memory(subject).state, subject.held_out[0]
    alone, order = subject.predict(state, batch), shuffled(batch)
    seen = {'in other company': _difference(rows(alone, order), subject.predict(state, rows(batch, order)))}
    if subject.truth:  # without it, what is generated may well be drawn by the index
        moved = batch | {INDEX: batch[INDEX] + 1}
        seen['in another place'] = _difference(alone, subject.predict(state, moved))
    return judged(
        all(each <= 1 for each in seen.values()),
        ', '.join(f'{_shown(each)} {where}' for where, each in seen.items()),
        'Prediction mixes examples or draws randomness: look for a reshape or transpose over the batch axis, '
        'a mean over the batch, batch normalisation, dropout or augmentation left on in evaluation.',
    )


def peeking(subject: Subject) -> Finding:
    """Predictions do not depend on the truth that stands in the same batch."""
    state, batch = memory(subject).state, subject.held_out[0]
    if not subject.truth:
        return skipped('the task names no truth in describe()')
    false = {name: np.roll(batch[name], 1, axis=0) for name in subject.truth}
    if all(np.array_equal(batch[name], each) for name, each in false.items()):
        return skipped('all examples of the batch have the same truth')
    seen = _difference(subject.predict(state, batch), subject.predict(state, batch | false))
    return judged(
        seen <= 1,
        f'{_shown(seen)} with false truth',
        f'The field {" or ".join(map(repr, subject.truth))} reaches the network: what a prediction is made '
        'from must not hold the answer.',
    )


def evaluation(subject: Subject) -> Finding:
    """Evaluation sums over valid examples: parts add up to the whole, and padding counts for nothing."""
    state, batch = memory(subject).state, subject.held_out[0]
    even = np.arange(len(batch[VALID])) % 2 == 0
    halves = [batch[VALID] & even, batch[VALID] & ~even]
    whole = subject.evaluate(state, batch)
    first, second = (subject.evaluate(state, batch | {VALID: half}) for half in halves)
    # Other examples as padding.
    order = np.where(halves[0], np.arange(len(even)), np.roll(np.arange(len(even)), 2))
    padded = subject.evaluate(state, rows(batch, order) | {VALID: halves[0]})
    wrong = []
    for name, sums in whole.items():
        parts = np.add(first[name], second[name])
        if not np.allclose(sums, parts, rtol=1e-4, atol=1e-6):
            wrong.append(f'{name}: two halves make {_sums(parts)}, not {_sums(sums)}')
        elif not np.allclose(first[name], padded[name], rtol=1e-4, atol=1e-6):
            with_others, expected = _sums(padded[name]), _sums(first[name])
            wrong.append(f'{name}: other padding makes {with_others}, not {expected}')
    return judged(
        not wrong and halves[1].any(),
        '; '.join(wrong) or f'{", ".join(whole)}: halves add up, padding is left out',
        "Give `interfaces.average(values, batch['valid'])` the values of each example: a mean over the "
        'batch, or one that ignores `valid`, makes the last batch of a split count wrongly.',
    )


def _sums(pair: np.ndarray) -> str:
    totals, counts = (' + '.join(f'{each:.5g}' for each in np.atleast_1d(sums)) for sums in pair)
    return f'{totals} over {counts}'


def outputs(subject: Subject) -> Finding:
    """Predictions are what their kind of outputs asks for, finite, and not the same for all examples."""
    known = memory(subject)
    predicted = subject.predict(known.state, known.batch)
    truth = {name: np.asarray(known.batch[field]) for name, field in subject.description.truth.items()}
    wrong = _misfits(subject, predicted, truth)
    for name, array in predicted.items():
        if not np.all(np.isfinite(array)):
            wrong.append(f'{name} is not finite')
        elif len(array) > 1 and np.all(array == array[:1]) and not _is_field(subject, array):
            wrong.append(f'{name} is the same for all examples')
    shapes = ', '.join(f'{name} {array.dtype} {list(array.shape)}' for name, array in predicted.items())
    return judged(
        not wrong,
        '; '.join(wrong) or f'{subject.description.kind}: {shapes}',
        'If they are all the same, the input is lost on its way: a dead ReLU, weights that are zero, a mean '
        'over the wrong axis. What each kind of outputs holds stands in engine/kinds/<kind>/__init__.py.',
    )


def _is_field(subject: Subject, array: np.ndarray) -> bool:
    """Whether an array is a field of the examples as it is: their lengths, say, which may well be equal."""
    batch = memory(subject).batch
    return any(np.array_equal(array, batch[field]) for field in subject.experiment.data.spec.example)


def _misfits(subject: Subject, predicted: Arrays, truth: Arrays) -> list[str]:
    classes = len(subject.experiment.data.spec.class_names)
    count = subject.experiment.batch_size
    kind = subject.description.kind
    try:
        check(Path('outputs'), kind, kind_folders.declaration(kind).pack(predicted | truth), count, classes)
    except UserError as misfit:
        return [str(misfit)]
    return []


def _difference(expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
    """Returns the largest difference of two predictions, in units of what is allowed."""
    return max(_distance(expected[name], found[name]) for name in expected)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    if not np.issubdtype(one.dtype, np.floating):
        return float(np.mean(one != other)) / ELEMENTS
    scale = max(float(np.max(np.abs(one))), 1e-12)
    distance = float(np.max(np.abs(one - other))) / scale / NUMBERS
    return distance if np.isfinite(distance) else float('inf')


def _shown(difference: float) -> str:
    return 'the same' if difference <= 1 else f'{difference * NUMBERS:.2g} different'
