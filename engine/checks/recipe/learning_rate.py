"""Checks the configured learning rate by a learning rate range test.

Source: Smith 2017, 'Cyclical Learning Rates for Training Neural Networks', https://arxiv.org/abs/1506.01186.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.checks import figures
from engine.checks.experiment_under_test import LOSS, ExperimentUnderTest
from engine.checks.finding import Finding, judged, skipped

FACTORS = np.geomspace(1e-4, 1e4, 161)  # multiples of the configured learning rate, one per step
SMOOTHING = 0.8  # decay per step of the moving average of the loss
DIVERGED = 1.5  # multiple of the lowest loss
# How far the configured rate may lie below that of the lowest loss, which is some ten times too high itself.
MAX_FACTOR_BELOW = 300


@dataclass(frozen=True)
class RangeTest:
    """A training whose learning rate grows with each step.

    Attributes:
      rates: the rate of each step, up to the last finite loss, [n].
      losses: the loss of each step, [n].
      smooth: the smoothed losses, [n].
      configured: the highest rate of the config.
    """

    rates: np.ndarray
    losses: np.ndarray
    smooth: np.ndarray
    configured: float

    @property
    def best(self) -> float:
        """The rate at the lowest smoothed loss."""
        return float(self.rates[np.argmin(self.smooth)])

    @property
    def diverged(self) -> float:
        """The rate at which the loss exceeds DIVERGED times its lowest value, infinity if it never does."""
        is_worse = self.smooth > DIVERGED * self.smooth.min()
        is_after = is_worse & (np.arange(len(is_worse)) > np.argmin(self.smooth))
        if is_after.any():
            return float(self.rates[np.argmax(is_after)])
        return math.inf if len(self.rates) == len(FACTORS) else float(self.rates[-1])


def learning_rate(experiment: ExperimentUnderTest) -> Finding:
    """The configured learning rate neither diverges nor is far too small."""
    rate = experiment.task.highest_rate
    if rate is None or not experiment.has_loss():
        return skipped("the task has no field 'learning_rate', or measures no 'loss'")
    test = _range_test(experiment, rate)
    falls = test.smooth.min() < 0.9 * test.smooth[0]
    too_large, too_small = rate > test.diverged, rate < test.best / MAX_FACTOR_BELOW
    advice = (
        'No rate lowers the loss. First follow the advice of `overfit_one_batch`.'
        if not falls
        else f'Too large: try {test.best / 10:.1g}.'
        if too_large
        else f'Far too small: try {test.best / 10:.1g}.'
    )
    return judged(
        falls and not too_large and not too_small,
        f'{rate:.2g}; in a range test the loss is lowest at {test.best:.2g} and diverges at '
        f'{test.diverged:.2g}',
        advice,
        {'Learning rate': partial(figures.learning_rate, test)},
    )


def _range_test(experiment: ExperimentUnderTest, configured: float) -> RangeTest:
    losses: list[float] = []
    rates = configured * FACTORS
    for _, metrics in experiment.train(experiment.batches(len(rates)), [float(rate) for rate in rates]):
        if not math.isfinite(metrics[LOSS]):
            break
        losses.append(metrics[LOSS])
    finite = np.array(losses)
    return RangeTest(rates[: len(finite)], finite, _smoothed(finite), configured)


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Returns an exponential moving average without bias towards zero at the start, [n]."""
    weights = SMOOTHING ** np.arange(len(values))[::-1]
    return np.array([np.average(values[:end], weights=weights[-end:]) for end in range(1, len(values) + 1)])
