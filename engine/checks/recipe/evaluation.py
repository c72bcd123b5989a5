"""Checks that evaluation sums over the valid examples of a batch, so that parts add up to the whole."""

import numpy as np

from engine.checks.experiment_under_test import ExperimentUnderTest, rows
from engine.checks.finding import Finding, judged
from engine.interfaces import VALID


def evaluation(experiment: ExperimentUnderTest) -> Finding:
    """Metrics of two halves of a batch add up to those of the whole batch, and padding does not count."""
    state, batch = experiment.memorisation.state, experiment.validation_batches[0]
    even = np.arange(len(batch[VALID])) % 2 == 0
    halves = [batch[VALID] & even, batch[VALID] & ~even]
    whole = experiment.evaluate(state, batch)
    first, second = (experiment.evaluate(state, batch | {VALID: half}) for half in halves)
    # Replace the padding of the first half by other examples.
    order = np.where(halves[0], np.arange(len(even)), np.roll(np.arange(len(even)), 2))
    padded = experiment.evaluate(state, rows(batch, order) | {VALID: halves[0]})
    problems = []
    for name, sums in whole.items():
        parts = np.add(first[name], second[name])
        if not np.allclose(sums, parts, rtol=1e-4, atol=1e-6):
            problems.append(f'{name}: two halves give {_sums(parts)}, not {_sums(sums)}')
        elif not np.allclose(first[name], padded[name], rtol=1e-4, atol=1e-6):
            problems.append(f'{name}: other padding gives {_sums(padded[name])}, not {_sums(first[name])}')
    return judged(
        not problems and halves[1].any(),
        '; '.join(problems) or f'{", ".join(whole)}: halves add up, padding does not count',
        "Pass the values of each example to `interfaces.average(values, batch['valid'])`. A mean over the "
        'batch, or one that ignores `valid`, weights the last batch of a split wrongly.',
    )


def _sums(pair: np.ndarray) -> str:
    totals, counts = (' + '.join(f'{value:.5g}' for value in np.atleast_1d(sums)) for sums in pair)
    return f'{totals} over {counts}'
