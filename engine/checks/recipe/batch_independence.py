"""Checks that the prediction for an example does not depend on the rest of its batch."""

from engine.checks.agreement import difference, difference_text
from engine.checks.experiment_under_test import ExperimentUnderTest, rows, shuffled
from engine.checks.finding import Finding, judged
from engine.interfaces import INDEX


def batch_independence(experiment: ExperimentUnderTest) -> Finding:
    """The prediction for an example does not depend on the other examples of its batch or on its index."""
    state, batch = experiment.memorisation.state, experiment.validation_batches[0]
    expected, order = experiment.predict(state, batch), shuffled(batch)
    reordered = experiment.predict(state, rows(batch, order))
    differences = {'with other rows in the batch': difference(rows(expected, order), reordered)}
    if experiment.truth_fields:  # without targets, a generator may well draw its samples by the index
        moved = batch | {INDEX: batch[INDEX] + 1}
        differences['with other indices'] = difference(expected, experiment.predict(state, moved))
    return judged(
        all(value <= 1 for value in differences.values()),
        ', '.join(f'{difference_text(value)} {change}' for change, value in differences.items()),
        'Prediction mixes examples or draws random numbers. Look for a reshape or transpose over the batch '
        'axis, a mean over the batch, or batch normalisation, dropout or augmentation that is active in '
        'evaluation.',
    )
