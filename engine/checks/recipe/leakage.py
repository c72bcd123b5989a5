"""Checks that no answer leaks: from targets to predictions, or from training to validation examples."""

from collections.abc import Sequence

import numpy as np

from engine.checks.agreement import difference, difference_text
from engine.checks.experiment_under_test import ExperimentUnderTest
from engine.checks.finding import Finding, judged, skipped
from engine.datasets.reading.dataset import Examples

MAX_COMPARED = 20_000  # examples of a split that are compared with another split
MAX_DUPLICATE_SHARE = 0.01  # real collections have some duplicates


def label_leakage(experiment: ExperimentUnderTest) -> Finding:
    """Predictions do not depend on the targets in the batch."""
    state, batch = experiment.memorisation.state, experiment.validation_batches[0]
    if not experiment.truth_fields:
        return skipped('the task names no targets in describe()')
    wrong = {name: np.roll(batch[name], 1, axis=0) for name in experiment.truth_fields}
    if all(np.array_equal(batch[name], targets) for name, targets in wrong.items()):
        return skipped('all examples of the batch have the same targets')
    multiple = difference(experiment.predict(state, batch), experiment.predict(state, batch | wrong))
    return judged(
        multiple <= 1,
        f'{difference_text(multiple)} with wrong targets',
        f'The field {" or ".join(map(repr, experiment.truth_fields))} reaches the network. Keep the targets '
        'out of what predictions are made from.',
    )


def splits(experiment: ExperimentUnderTest) -> Finding:
    """No training example is a validation example too."""
    data = experiment.experiment.data
    if not data.spec.example:
        return skipped('the task makes its own data')
    fields = [name for name in data.spec.example if name not in experiment.truth_fields]
    validation = _contents(experiment.validation_examples, fields)
    parts = [part.examples for part in experiment.experiment.parts.values()]
    alike = [each for each in parts if {*each.arrays, *each.encoded} >= {*fields}]
    train = [content for examples in alike for content in _contents(examples, fields)]
    known = set(train)
    duplicates = sum(content in known for content in validation)
    return judged(
        duplicates <= MAX_DUPLICATE_SHARE * len(validation),
        f'{duplicates} of {len(validation):,} validation examples are among {len(train):,} of training',
        'Metrics on these examples measure memory. Split by what examples share (patient, scene, author).',
    )


def _contents(examples: Examples, fields: Sequence[str]) -> list[bytes]:
    """Returns the content of each of the first examples."""
    sources = [{**examples.arrays, **examples.encoded}[name] for name in fields]
    count = min(MAX_COMPARED, len(examples))
    return [b''.join(_as_bytes(source[index]) for source in sources) for index in range(count)]


def _as_bytes(value: np.ndarray | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.tobytes()
