"""Evaluation of generation: distances between features of samples and real examples, and coverage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.errors import UserError
from engine.evaluation.drawing import example_cards
from engine.evaluation.drawing.example_cards import Card
from engine.evaluation.kind_evaluation import KindEvaluation
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report
from engine.kinds.generation.definitions import DEFINITIONS, HEADLINE, MAX_RESAMPLES, MIN_RESAMPLES
from engine.kinds.generation.distances import discrepancy, frechet, moments
from engine.kinds.generation.manifold import NEIGHBOURS, Manifold
from engine.outputs.outputs import Outputs
from engine.render.pictures import Picture

# The Frechet distance of long features takes seconds. This number of multiplications limits its resamples and
# halvings, within MIN_RESAMPLES and MAX_RESAMPLES.
_MAX_MULTIPLICATIONS = 1e12
PAGE_SAMPLES = 96  # samples that a report shows
# Manifolds need a feature and its neighbours, and halves two features each.
MIN_EXAMPLES = NEIGHBOURS + 1
# Metrics by name: value, and values on the resamples, f64 [resamples].
Pairs = dict[str, tuple[float, np.ndarray]]


@dataclass(frozen=True)
class GenerationEvaluation(KindEvaluation):
    """Evaluates outputs of kind `generation`."""

    kind = 'generation'

    def report(self, outputs: Outputs, bootstrap: Bootstrap) -> Report:
        """Returns metrics with intervals, tables and figures.

        Raises:
          UserError: features of real examples are missing, too few or not finite, or samples have no
            pixels.
        """
        if not outputs.arrays['samples'].size:
            raise UserError(f'{outputs.folder}: samples.npy holds images without pixels.')
        samples, reference = _features(outputs, 'features'), _features(outputs, 'reference_features')
        inside, distances = Manifold.of(reference).place(samples)
        measured = measure(samples, reference, inside, bootstrap)
        tables = {'per_example': per_example(outputs.ids, inside, distances)}
        headline = tuple(name for name in HEADLINE if name in measured)
        return Report(outputs, bootstrap, measured, headline, tables, {})

    def pictures(self, outputs: Outputs, row: int) -> list[Picture]:
        """Returns one generated image."""
        return example_cards.images(outputs, ('samples',), row)

    def gallery(self, report: Report) -> dict[str, list[Card]]:
        """Returns the first samples, because a selection would show the good ones."""
        samples = self.samples(report.outputs, PAGE_SAMPLES)
        return {f'Samples: the first {len(samples)}': samples}

    def samples(self, outputs: Outputs, count: int) -> list[Card]:
        """Returns cards of the first `count` samples."""
        shown = enumerate(outputs.ids[:count])
        return [Card(name, self.pictures(outputs, row)) for row, name in shown]


def measure(
    samples: np.ndarray, reference: np.ndarray, inside: np.ndarray, bootstrap: Bootstrap
) -> Mapping[str, Metric]:
    """Returns all metrics, in the order in which reports list them.

    Args:
      samples: features f64 [n, d] of generated examples.
      reference: features f64 [m, d] of real ones.
      inside: which samples are on the manifold of the real examples, bool [n].
      bootstrap: the bootstrap of the intervals.
    """
    counts = bootstrap.counts(len(samples))
    # Samples and real examples are drawn independently of each other.
    reference_counts = replace(bootstrap, seed=bootstrap.seed + 1).counts(len(reference))
    fewer = _afforded(bootstrap.resamples, len(samples) + len(reference), samples.shape[1])
    kernels = _afforded_kernels(bootstrap.resamples, len(samples) + len(reference))
    covered, _ = Manifold.of(samples).place(reference)
    parts = [
        _frechet(samples, reference, counts[:fewer], reference_counts[:fewer]),
        _kernel(samples, reference, counts[:kernels], reference_counts[:kernels]),
        _halves(samples, reference, replace(bootstrap, resamples=fewer)),
        {'precision': _share(inside, counts), 'recall': _share(covered, reference_counts)},
    ]
    pairs = {name: pair for part in parts for name, pair in part.items()}
    return {
        name: bootstrap.metric(float(pairs[name][0]), pairs[name][1], definition)
        for name, definition in DEFINITIONS.items()
        if name in pairs
    }


def per_example(ids: Sequence[str], inside: np.ndarray, distances: np.ndarray) -> pd.DataFrame:
    """Returns a row per sample, the sample farthest from all real examples first.

    Args:
      ids: of the samples.
      inside: whether a sample is on the manifold of the real examples, bool [n].
      distances: distance of the features to those of the nearest real example, f64 [n].
    """
    table = pd.DataFrame({'distance': distances, 'inside': inside}, pd.Index(ids, name='id'))
    return table.sort_values('distance', ascending=False, kind='stable')


def _afforded(resamples: int, examples: int, width: int) -> int:
    """Returns the number of Frechet distances to compute, from the cost of moments and eigenvalues."""
    multiplications = width**2 * (examples + 10 * width)
    affordable = max(MIN_RESAMPLES, int(_MAX_MULTIPLICATIONS / multiplications))
    return min(resamples, MAX_RESAMPLES, affordable)


def _afforded_kernels(resamples: int, examples: int) -> int:
    """Returns the number of kernel distances to compute: each sums the kernels of all pairs."""
    return min(resamples, max(MIN_RESAMPLES, int(_MAX_MULTIPLICATIONS / examples**2)))


def _frechet(
    samples: np.ndarray, reference: np.ndarray, counts: np.ndarray, reference_counts: np.ndarray
) -> Pairs:
    value = frechet(moments(samples), moments(reference))
    pairs = zip(counts, reference_counts, strict=True)
    resamples = np.array([frechet(moments(samples, a), moments(reference, b)) for a, b in pairs])
    return {'frechet_distance': (value, np.maximum(_shifted(resamples, value), 0))}


def _kernel(
    samples: np.ndarray, reference: np.ndarray, counts: np.ndarray, reference_counts: np.ndarray
) -> Pairs:
    counts, reference_counts = (np.vstack([np.ones(c.shape[1]), c]) for c in (counts, reference_counts))
    value, *resamples = discrepancy(samples, reference, counts, reference_counts)
    return {'kernel_distance': (value, _shifted(np.array(resamples), value))}


def _shifted(resamples: np.ndarray, value: float) -> np.ndarray:
    """Returns values of resamples, which are biased because examples repeat, shifted to the right mean."""
    return resamples - resamples.mean() + value


def _halves(samples: np.ndarray, reference: np.ndarray, bootstrap: Bootstrap) -> Pairs:
    """Returns the distance of halves and the ratio. There is no ratio if all real examples are equal.

    If some are equal, halves can be equal by chance. The interval of the ratio excludes such halves.
    """
    of_halves, of_samples = halvings(samples, reference, bootstrap.resamples, bootstrap.seed).T
    pairs: Pairs = {'frechet_distance_of_halves': (of_halves.mean(), of_halves)}
    distinct = of_halves > 1e-9 * of_halves.max()  # smaller distances are rounding errors of equal halves
    if np.ptp(reference, axis=0).any() and distinct.any():
        ratios = np.divide(of_samples, of_halves, where=distinct, out=np.full(len(distinct), np.nan))
        pairs['frechet_ratio'] = (of_samples.mean() / of_halves.mean(), ratios)
    return pairs


def _share(inside: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    return float(inside.mean()), counts @ inside / len(inside)


def halvings(samples: np.ndarray, reference: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Returns Frechet distances from a random half of the real examples to the other half and to samples.

    Args:
      samples: features f64 [n, d].
      reference: features f64 [m, d] of real examples.
      count: number of halvings.
      seed: seed of the random numbers.

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
            'Save the features of real examples, computed by the same network.'
        )
    features = np.asarray(outputs.arrays[name], np.float64)
    if len(features) < MIN_EXAMPLES:
        raise UserError(
            f'{outputs.folder}: {name}.npy holds {len(features)} examples, and at least {MIN_EXAMPLES} are '
            'needed.'
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
