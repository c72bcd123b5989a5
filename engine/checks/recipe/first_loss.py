"""Checks the loss of the untrained network."""

from engine.checks.experiment_under_test import LOSS, ExperimentUnderTest
from engine.checks.finding import Finding, judged, skipped

# Multiples of the expected loss. Normal initialisers may add half the variance of the logits.
RANGE = (0.5, 1.5)


def first_loss(experiment: ExperimentUnderTest) -> Finding:
    """The loss of the untrained network is the loss of guessing."""
    expected = experiment.description.first_loss
    if expected is None:
        return skipped('the task does not state Description.first_loss')
    if experiment.experiment.init_from or experiment.frozen:
        return skipped('the network starts from trained variables, or some are frozen')
    loss = next(experiment.train(experiment.batches(1), [0.0]))[1][LOSS]
    return judged(
        RANGE[0] * expected <= loss <= RANGE[1] * expected,
        f'{loss:.3g}, by guessing {expected:.3g}',
        'If it is far above: the initial weights of the last layer are too large, its inputs are not '
        'normalised, or a sum replaces a mean. If it is far below: a part of the loss is missing, or the '
        'targets leak into the inputs.',
    )
