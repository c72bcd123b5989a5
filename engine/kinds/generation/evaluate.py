"""How near generated examples come to real ones, and how much of these they cover, by their features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from engine.errors import UserError
from engine.evaluation.drawing import example_cards, figures
from engine.evaluation.kind_evaluation import KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Definition, Metric
from engine.evaluation.results.report import Report
from engine.kinds.generation.distances import discrepancy, frechet, moments
from engine.kinds.generation.manifold import NEIGHBOURS, Manifold
from engine.outputs.outputs import Outputs
from engine.render import pictures

# A Frechet distance of long features takes seconds. Where more multiplications than so many would be needed,
# there are fewer resamples and halvings, but never fewer than so; nor more, which would change nothing.
_WORK, _FEWEST, _MOST = 1e12, 30, 1000
_INTERVAL = (
    'Resamples repeat examples, which makes a distance larger: the interval is moved by the mean of that.'
)
_FEWER = f'There are at most {_MOST} resamples, and fewer of many long features, {_FEWEST} at least.'
_HALVINGS = (
    'Mean over random halvings, as many as resamples for the distance; the interval is of single ones.'
)
_KYNKAANNIEMI = (
    'Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative Models, NeurIPS 2019'
)
DEFINITIONS = {
    'frechet_distance': Definition(
        'Frechet distance',
        'squared feature units',
        'lower',
        'Squared Frechet distance between normal distributions with the means and covariances of the '
        'features of all samples and of all real examples. It shrinks as there are more of them and depends '
        f'on what made the features: compare where both are the same. {_INTERVAL} {_FEWER}',
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
    'precision': Definition(
        'precision',
        'fraction',
        'higher',
        'Share of the samples that lie on the manifold of the real examples: in a ball around one of them '
        'that reaches to its third nearest neighbour among them, by their features. The interval resamples '
        'the samples and leaves the manifold as it is.',
        _KYNKAANNIEMI,
    ),
    'recall': Definition(
        'recall',
        'fraction',
        'higher',
        'Share of the real examples that lie on the manifold of the samples, which is made alike. '
        'The interval resamples the real examples and leaves the manifold as it is.',
        _KYNKAANNIEMI,
    ),
}
PAGE_SAMPLES = 96  # samples that a report shows
HEADLINE = ('frechet_distance', 'kernel_distance', 'frechet_ratio', 'precision', 'recall')
# Distances between halves need two real examples in each, and a manifold a feature and its neighbours.
LEAST = NEIGHBOURS + 1
# Name of a metric to its value and to that on each resample, f64 [resamples].
Pairs = dict[str, tuple[float, np.ndarray]]


@dataclass(frozen=True)
class GenerationEvaluation(KindEvaluation):
    """Evaluates outputs of kind `generation`."""

    kind = 'generation'

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: features of real examples are missing or too few, features are not finite, or samples
            have no pixels.
        """
        if not outputs.arrays['samples'].size:
            raise UserError(f'{outputs.folder}: samples.npy holds images without pixels.')
        samples, reference = _features(outputs, 'features'), _features(outputs, 'reference_features')
        inside, distances = Manifold.of(reference).place(samples)
        measured = measure(samples, reference, inside, bootstrap)
        title = figures.subject(outputs, bootstrap)
        drawn = {
            'samples': partial(
                figures.samples, outputs.arrays['samples'], title, measured['frechet_distance']
            )
        }
        tables = {'per_example': per_example(outputs.ids, inside, distances)}
        headline = tuple(name for name in HEADLINE if name in measured)
        return Report(outputs, bootstrap, measured, headline, tables, drawn)

    def pictures(self, outputs: Outputs, row: int) -> list[str]:
        """Returns one generated image, as markup."""
        return example_cards.images(outputs, ('samples',), row)

    def gallery(self, report: Report) -> dict[str, list[str]]:
        """Returns the first samples, because a selection would show the good ones."""
        samples = self.samples(report.outputs, PAGE_SAMPLES)
        return {f'The first {len(samples)} samples': samples}

    def samples(self, outputs: Outputs, count: int) -> list[str]:
        """Returns cards of the first `count` samples."""
        shown = enumerate(outputs.ids[:count])
        return [pictures.figure(self.pictures(outputs, row), '', name) for row, name in shown]


def measure(
    samples: np.ndarray, reference: np.ndarray, inside: np.ndarray, bootstrap: Bootstrap
) -> Mapping[str, Metric]:
    """Returns every metric, in the order in which they are told.

    Args:
      samples: features f64 [n, d] of generated examples.
      reference: features f64 [m, d] of real ones.
      inside: which samples lie on the manifold of the real examples, bool [n].
      bootstrap: how intervals are made.
    """
    counts = bootstrap.counts(len(samples))
    # Samples and real examples are drawn independently of each other.
    reference_counts = replace(bootstrap, seed=bootstrap.seed + 1).counts(len(reference))
    fewer = _afforded(bootstrap.resamples, len(samples) + len(reference), samples.shape[1])
    covered, _ = Manifold.of(samples).place(reference)
    parts = [
        _frechet(samples, reference, counts[:fewer], reference_counts[:fewer]),
        _kernel(samples, reference, counts, reference_counts),
        _halves(samples, reference, replace(bootstrap, resamples=fewer)),
        {'precision': _share(inside, counts), 'recall': _share(covered, reference_counts)},
    ]
    pairs = {name: pair for part in parts for name, pair in part.items()}
    return {
        name: Metric(float(pairs[name][0]), bootstrap.interval(pairs[name][1]).tolist(), definition)
        for name, definition in DEFINITIONS.items()
        if name in pairs
    }


def per_example(ids: Sequence[str], inside: np.ndarray, distances: np.ndarray) -> pd.DataFrame:
    """Returns a row for each sample, the one farthest from anything real first.

    Args:
      ids: of the samples.
      inside: whether each lies on the manifold of the real examples, bool [n].
      distances: to the nearest real example, in features, f64 [n].
    """
    table = pd.DataFrame({'distance': distances, 'inside': inside}, pd.Index(ids, name='id'))
    return table.sort_values('distance', ascending=False, kind='stable')


def _afforded(resamples: int, examples: int, width: int) -> int:
    """Returns how many Frechet distances to make: moments of all examples, eigenvalues of their numbers."""
    each = width**2 * (examples + 10 * width)
    return min(resamples, _MOST, max(_FEWEST, int(_WORK / each)))


def _frechet(
    samples: np.ndarray, reference: np.ndarray, counts: np.ndarray, reference_counts: np.ndarray
) -> Pairs:
    value = frechet(moments(samples), moments(reference))
    pairs = zip(counts, reference_counts, strict=True)
    resamples = np.array([frechet(moments(samples, a), moments(reference, b)) for a, b in pairs])
    return {'frechet_distance': (value, np.maximum(_moved(resamples, value), 0))}


def _kernel(
    samples: np.ndarray, reference: np.ndarray, counts: np.ndarray, reference_counts: np.ndarray
) -> Pairs:
    counts, reference_counts = (np.vstack([np.ones(c.shape[1]), c]) for c in (counts, reference_counts))
    value, *resamples = discrepancy(samples, reference, counts, reference_counts)
    return {'kernel_distance': (value, _moved(np.array(resamples), value))}


def _moved(resamples: np.ndarray, value: float) -> np.ndarray:
    """Returns values of resamples, which repeat examples, so that their mean is right."""
    return resamples - resamples.mean() + value


def _halves(samples: np.ndarray, reference: np.ndarray, bootstrap: Bootstrap) -> Pairs:
    """Returns the distance of halves and the ratio; no ratio where all real examples are equal.

    Where some are equal, so may halves be by chance: the interval of the ratio is of the others.
    """
    of_halves, of_samples = halvings(samples, reference, bootstrap.resamples, bootstrap.seed).T
    pairs: Pairs = {'frechet_distance_of_halves': (of_halves.mean(), of_halves)}
    apart = of_halves > 1e-9 * of_halves.max()  # what is left of equal halves by rounding is no distance
    if np.ptp(reference, axis=0).any() and apart.any():
        ratios = np.divide(of_samples, of_halves, where=apart, out=np.full(len(apart), np.nan))
        pairs['frechet_ratio'] = (of_samples.mean() / of_halves.mean(), ratios)
    return pairs


def _share(inside: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    return float(inside.mean()), counts @ inside / len(inside)


def halvings(samples: np.ndarray, reference: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Returns Frechet distances of a random half of the real examples to the other half and to samples.

    Args:
      samples: features f64 [n, d].
      reference: features f64 [m, d] of real examples.
      count: number of halvings.
      seed: of the random numbers.

    Returns:
      f64 [count, 2].
    """
    random = np.random.default_rng(seed)
    half = min(len(reference) // 2, len(samples))
    distances = []
    for _ in range(count):
        order = random.permutation(len(reference))
        real, others = moments(reference[order[:half]]), moments(reference[order[-half:]])
        drawn = moments(random.permutation(samples)[:half])
        distances.append((frechet(real, others), frechet(real, drawn)))
    return np.array(distances)


def _features(outputs: Outputs, name: str) -> np.ndarray:
    """Returns features f64 [n, d]; raises `UserError` if they are missing, too few or not finite."""
    if name not in outputs.arrays:
        raise UserError(
            f'{outputs.folder}: no {name}.npy, so there is nothing to compare the samples with. '
            'Save the features of real examples, made by what made those of the samples.'
        )
    features = np.asarray(outputs.arrays[name], np.float64)
    if len(features) < LEAST:
        raise UserError(
            f'{outputs.folder}: {name}.npy holds {len(features)} examples, and at least {LEAST} are needed.'
        )
    if not features.size:
        raise UserError(f'{outputs.folder}: {name}.npy holds no numbers for any example.')
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if bad.size:
        raise UserError(
            f'{outputs.folder}: {name}.npy holds NaN or infinity for {bad.size} of {len(features)} examples, '
            f'the first of them number {bad[0]}, counted from 0. Look for where the model diverged.'
        )
    return features


EVALUATION = GenerationEvaluation()
