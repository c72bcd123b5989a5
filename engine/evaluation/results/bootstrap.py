"""Bootstrap intervals: how far a number would move with another sample of examples.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from scipy import sparse

from engine.evaluation.results.metric import Definition, Metric, not_defined

# So many resamples of so many examples are summed at once: they stay in a core's cache.
_TILE = (64, 4096)
# So many counts, a byte each, are kept: outputs that are compared are resampled alike.
_KEPT = 2**27


@dataclass(frozen=True)
class Bootstrap:
    """Resampling of examples with replacement; the same resamples for the same seed and number of examples.

    Attributes:
      resamples: how many to draw.
      confidence: share of the resamples that an interval covers, between 0 and 1.
      seed: of the random numbers.
    """

    resamples: int
    confidence: float
    seed: int

    @property
    def percent(self) -> str:
        """The confidence as people read it."""
        return f'{100 * self.confidence:g} %'

    def sums(self, features: Mapping[str, sparse.csr_array], examples: int) -> dict[str, np.ndarray]:
        """Sums features over the examples of each resample.

        A metric that is a function of such sums gets its interval quickly.

        Args:
          features: name to a matrix [n, k], one row per example.
          examples: n.

        Returns:
          Name to f64 [resamples, k].
        """
        parts = list(_parts(features, examples))
        sums = np.concatenate([_sums(parts, counts) for counts in self.blocks(examples)])
        shapes: Any = [matrix.shape for matrix in features.values()]  # SciPy's types allow None
        ends = np.cumsum([width for _, width in shapes])
        return dict(zip(features, np.split(sums, ends[:-1], axis=1), strict=True))

    def counts(self, examples: int) -> np.ndarray:
        """Returns how often each example was drawn, f64 [resamples, examples]."""
        return np.concatenate(list(self.blocks(examples)), dtype=np.float64)

    def interval(self, values: np.ndarray) -> np.ndarray:
        """Returns the low and the high end, f64 [2, ...], of values [resamples, ...].

        NaN is left out. The ends of a column that is NaN throughout are NaN.
        """
        tail = (1 - self.confidence) / 2
        columns = values.reshape(len(values), -1)
        known = ~np.isnan(columns).all(axis=0)
        ends = np.full((2, columns.shape[1]), np.nan)
        ends[:, known] = np.nanquantile(columns[:, known], [tail, 1 - tail], axis=0)
        return ends.reshape(2, *values.shape[1:])

    def metric(self, value: float, resamples: np.ndarray, definition: Definition) -> Metric:
        """Returns a metric with its interval.

        Args:
          value: of all examples; NaN if it is not defined.
          resamples: values on the resamples, f64 [resamples]; NaN is left out. [] for no interval.
          definition: what the value means.
        """
        if not len(resamples) or np.isnan(value):
            ends = [np.nan, np.nan]
        else:
            ends = self.interval(resamples).tolist()
        return Metric(value, ends, definition, _note(value, resamples, definition))

    def blocks(self, examples: int) -> Iterable[np.ndarray]:
        """Returns blocks, u8 [block, examples], of how often each example was drawn."""
        drawn = _kept if self.resamples * examples <= _KEPT else _drawn
        return drawn(self.seed, self.resamples, examples)


def _note(value: float, resamples: np.ndarray, definition: Definition) -> str:
    """Returns a sentence on a value or on resamples that are not defined; '' if all are."""
    missing = int(np.isnan(resamples).sum())
    if np.isnan(value):
        return not_defined([definition.title], definition.undefined)
    if missing:
        when = f': {definition.undefined}' if definition.undefined else ''
        return (
            f'The interval of {definition.title} leaves out {missing:,} of {len(resamples):,} resamples, on '
            f'which it is not defined{when}.'
        )
    return ''


def _drawn(seed: int, resamples: int, examples: int) -> Iterator[np.ndarray]:
    """Yields blocks, u8 [block, examples], of how often each example was drawn."""
    random = np.random.default_rng(seed)
    for start in range(0, resamples, _TILE[0]):
        # A byte: that one of more than 255 examples is drawn more often than so is as likely as 1 in 10^500.
        counts = np.empty((min(_TILE[0], resamples - start), examples), np.uint8)
        for row in counts:
            row[:] = np.bincount(random.integers(examples, size=examples, dtype=np.int32), minlength=examples)
        counts.flags.writeable = False
        yield counts


@lru_cache(maxsize=1)
def _kept(seed: int, resamples: int, examples: int) -> tuple[np.ndarray, ...]:
    """Returns what `_drawn` yields, drawn once."""
    return tuple(_drawn(seed, resamples, examples))


def _parts(
    features: Mapping[str, sparse.csr_array], examples: int
) -> Iterator[tuple[slice, sparse.csc_array]]:
    """Yields some examples and their features beside each other, f64 [k, part]."""
    for start in range(0, examples, _TILE[1]):
        part = slice(start, start + _TILE[1])
        yield part, sparse.hstack([matrix[part] for matrix in features.values()], 'csr').T


def _sums(parts: Iterable[tuple[slice, sparse.csc_array]], counts: np.ndarray) -> np.ndarray:
    """Returns the sums, f64 [block, k], over counts [block, examples]."""
    turned = (matrix @ counts[:, part].T.astype(np.float64, order='C') for part, matrix in parts)
    return reduce(np.add, turned).T
