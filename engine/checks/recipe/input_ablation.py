"""Checks that the network uses its inputs: a network whose inputs are zeros must do worse.

Source: Karpathy 2019, 'A Recipe for Training Neural Networks', https://karpathy.github.io/2019/04/25/recipe/.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.checks import figures
from engine.checks.experiment_under_test import LOSS, Arrays, ExperimentUnderTest
from engine.checks.finding import Finding, judged, skipped
from engine.interfaces import INDEX, VALID

MAX_STEPS = 150  # of a short training
MAX_LOSS_RATIO = 0.97  # of the loss with inputs to that without. A larger ratio may be luck.


@dataclass(frozen=True)
class ShortTraining:
    """The training losses of a short training, and the validation loss at its end."""

    losses: list[float]
    validation_loss: float


def input_ablation(experiment: ExperimentUnderTest) -> Finding:
    """A network with its inputs has a lower validation loss than one whose inputs are zeros."""
    if not experiment.has_loss() or not experiment.truth_fields:
        return skipped("the task measures no 'loss', or names no targets that inputs could predict")
    full, ablated = _train(experiment, ablate=False), _train(experiment, ablate=True)
    return judged(
        full.validation_loss <= MAX_LOSS_RATIO * ablated.validation_loss,
        f'validation loss {full.validation_loss:.3g} with inputs, {ablated.validation_loss:.3g} without, '
        f'after {len(full.losses)} steps',
        'The network learns nothing from its inputs that holds for other examples. Check that labels belong '
        'to their examples in both splits, that augmentation leaves something to see, and that the targets '
        'do not enter another way.',
        {'With and without inputs': partial(figures.input_ablation, full, ablated)},
    )


def _train(experiment: ExperimentUnderTest, ablate: bool) -> ShortTraining:
    last, losses = experiment.first_state, []
    count = min(MAX_STEPS, max(experiment.experiment.steps, 2))
    batches = (_ablated(experiment, batch) if ablate else batch for batch in experiment.batches(count))
    for state, metrics in experiment.train(batches, experiment.rates(count)):
        last = state
        losses.append(metrics[LOSS])
    validation = experiment.validation_batches
    validation = [_ablated(experiment, batch) if ablate else batch for batch in validation]
    return ShortTraining(losses, experiment.loss(last, validation))


def _ablated(experiment: ExperimentUnderTest, batch: Arrays) -> Arrays:
    """Returns a batch whose inputs are zeros."""
    kept = {INDEX, VALID, *experiment.truth_fields}
    parts = {name: _ablated(experiment, part) for name, part in batch.items() if isinstance(part, dict)}
    fields = {name: array for name, array in batch.items() if name not in parts}
    zeros = {name: array if name in kept else np.zeros_like(array) for name, array in fields.items()}
    return zeros | parts
