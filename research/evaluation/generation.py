"""How near generated examples come to real ones: distances between their features."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from research.errors import UserError
from research.evaluation import figures
from research.evaluation.bootstrap import Bootstrap
from research.evaluation.distances import Kernels, frechet, moments
from research.evaluation.metric import Definition, Metric
from research.evaluation.report import Report
from research.outputs import Outputs

_INTERVAL = (
    'Resamples repeat examples, which makes a distance larger: the interval is moved by the mean of that.'
)
_HALVINGS = 'Mean over random halvings, as many as bootstrap resamples; the interval is of single halvings.'
DEFINITIONS = {
    'frechet_distance': Definition(
        'Frechet distance',
        'squared feature units',
        'lower',
        'Squared Frechet distance between normal distributions with the means and covariances of the '
        'features of all samples and of all real examples. It shrinks as there are more of them and depends '
        f'on what made the features: compare where both are the same. {_INTERVAL}',
        'Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium, '
        'NeurIPS 2017',
    ),
    'kernel_distance': Definition(
        'kernel distance',
        'squared discrepancy',
        'lower',
        'Unbiased estimate of the squared maximum mean discrepancy between the features of all samples and '
        'of all real examples, with the kernel (x.y / d + 1)^3 for d numbers; 0 on average where both are '
        f'drawn alike. {_INTERVAL}',
        'Binkowski et al., Demystifying MMD GANs, ICLR 2018',
    ),
    'frechet_distance_of_halves': Definition(
        'of real halves',
        'squared feature units',
        '',
        'The yardstick: the Frechet distance between one half of the real examples and the other. '
        f'{_HALVINGS}',
        'this evaluator',
    ),
    'frechet_ratio': Definition(
        'Frechet ratio',
        'ratio',
        'lower',
        'The Frechet distance between one half of the real examples and as many samples, divided by that '
        'between one half and the other: 1 where samples are as good as real ones. '
        f'Small sets are as far apart by chance above as below. {_HALVINGS}',
        'this evaluator',
    ),
}
HEADLINE = ('frechet_distance', 'kernel_distance', 'frechet_ratio')


class Generation:
    """Evaluates outputs of kind `generation`."""

    def report(self, found: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns all that is said about `found`.

        Raises:
          UserError: features of real examples are missing or too few, or features are not finite.
        """
        samples, reference = _features(found, 'features', 2), _features(found, 'reference_features', 4)
        measured = measure(samples, reference, bootstrap)
        title = figures.subject(found, bootstrap)
        drawn = {
            'samples': partial(figures.samples, found.arrays['samples'], title, measured['frechet_distance'])
        }
        return Report(found, bootstrap, measured, HEADLINE, {}, drawn)


def measure(samples: np.ndarray, reference: np.ndarray, bootstrap: Bootstrap) -> Mapping[str, Metric]:
    """Returns every metric, in the order in which they are told.

    Args:
      samples: features f64 [n, d] of generated examples.
      reference: features f64 [m, d] of real ones.
      bootstrap: how intervals are made.
    """
    values, draws = _resampled(samples, reference, bootstrap)
    halved = halvings(samples, reference, bootstrap.draws, bootstrap.seed)
    values |= {
        'frechet_distance_of_halves': halved[:, 0].mean(),
        'frechet_ratio': halved[:, 1].mean() / halved[:, 0].mean(),
    }
    draws |= {'frechet_distance_of_halves': halved[:, 0], 'frechet_ratio': halved[:, 1] / halved[:, 0]}
    return {
        name: Metric(float(values[name]), bootstrap.interval(draws[name]).tolist(), definition)
        for name, definition in DEFINITIONS.items()
    }


def _resampled(
    samples: np.ndarray, reference: np.ndarray, bootstrap: Bootstrap
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Returns both distances; and on each resample, f64 [draws], moved so that their mean is right."""
    counts = bootstrap.counts(len(samples))
    # Samples and real examples are drawn independently of each other.
    reference_counts = replace(bootstrap, seed=bootstrap.seed + 1).counts(len(reference))
    pairs = zip(counts, reference_counts, strict=True)
    kernels = Kernels.of(samples, reference)
    once, reference_once = np.ones((1, len(samples))), np.ones((1, len(reference)))
    values = {
        'frechet_distance': frechet(moments(samples), moments(reference)),
        'kernel_distance': kernels.distance(once, reference_once)[0],
    }
    draws = {
        'frechet_distance': np.array([frechet(moments(samples, a), moments(reference, b)) for a, b in pairs]),
        'kernel_distance': kernels.distance(counts, reference_counts),
    }
    return values, {name: draws[name] - draws[name].mean() + value for name, value in values.items()}


def halvings(samples: np.ndarray, reference: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Returns Frechet distances of a random half of the real examples to the other half and to samples.

    Args:
      samples: features f64 [n, d].
      reference: features f64 [m, d] of real examples.
      draws: number of halvings.
      seed: of the random numbers.

    Returns:
      f64 [draws, 2].
    """
    random = np.random.default_rng(seed)
    half = min(len(reference) // 2, len(samples))
    found = []
    for _ in range(draws):
        order = random.permutation(len(reference))
        real, others = moments(reference[order[:half]]), moments(reference[order[-half:]])
        drawn = moments(random.permutation(samples)[:half])
        found.append((frechet(real, others), frechet(real, drawn)))
    return np.array(found)


def _features(found: Outputs, name: str, least: int) -> np.ndarray:
    """Returns features f64 [n, d]; raises `UserError` if they are missing, too few or not finite."""
    if name not in found.arrays:
        raise UserError(
            f'{found.folder}: no {name}.npy, so there is nothing to compare the samples with. '
            'Save the features of real examples, made by what made those of the samples.'
        )
    features = np.asarray(found.arrays[name], np.float64)
    if len(features) < least:
        raise UserError(
            f'{found.folder}: {name}.npy holds {len(features)} examples, and at least {least} are needed.'
        )
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if bad.size:
        raise UserError(
            f'{found.folder}: {name}.npy holds NaN or infinity for {bad.size} of {len(features)} examples, '
            f'the first of them number {bad[0]}, counted from 0. Look for where the model diverged.'
        )
    return features
