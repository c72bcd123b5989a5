"""Checks that the network can memorise one batch."""

import math
from functools import partial

import numpy as np

from engine.checks import figures
from engine.checks.experiment_under_test import ExperimentUnderTest
from engine.checks.finding import Finding, judged, skipped
from engine.checks.memorisation import MAX_LOSS_SHARE, MAX_STEPS, MIN_AGREEMENT, Memorisation


def overfit_one_batch(experiment: ExperimentUnderTest) -> Finding:
    """Training on one batch lowers its loss, and evaluation predicts the targets of that batch."""
    if not experiment.has_loss():
        return skipped("the task measures no 'loss'")
    known = experiment.memorisation
    first, last = known.evaluations[0], known.last
    agreement = '' if last.agreement is None else f', {last.agreement:.0%} predicted right'
    draw = partial(figures.overfit_one_batch, known, MAX_LOSS_SHARE * first.loss)
    return judged(
        known.is_complete,
        f'loss {first.loss:.3g} to {last.loss:.3g} in {last.step} steps{agreement}',
        '' if known.is_complete else _advice(known),
        {'One memorised batch': draw},
    )


def _advice(known: Memorisation) -> str:
    """Returns the probable cause of an incomplete memorisation."""
    early, late = known.losses[0], float(np.mean(known.losses[-10:]))
    limit = MAX_LOSS_SHARE * known.evaluations[0].loss
    agreement = known.last.agreement
    if not math.isfinite(late) or late > 1.2 * early:
        return (
            f'The loss rises ({early:.3g} to {late:.3g}). Look for a wrong sign, or a learning rate that is '
            'far too large.'
        )
    if late <= MAX_LOSS_SHARE * early and known.last.loss > limit:
        return (
            'The loss falls in training but not in evaluation. The two prepare inputs or targets '
            'differently, or batch statistics never reach evaluation.'
        )
    if known.last.loss <= limit:
        return (
            f'The loss falls, but only {agreement:.0%} of the targets are predicted. Targets and predictions '
            'number classes or positions differently, as if off by one.'
        )
    goal = f'{MAX_LOSS_SHARE:.0%} of the first loss'
    goal += '' if agreement is None else f' and {MIN_AGREEMENT:.0%} right'
    return (
        f'Training did not reach {goal} in {MAX_STEPS} steps. Look for a second softmax, labels that change '
        'from step to step, a model that is too small or too strongly regularised, or a learning rate that '
        'is too small.'
    )
