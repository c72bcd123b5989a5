"""Bootstrap intervals: how far a number would move with another sample of examples.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse

# Resamples are drawn in blocks of at most so many counts, a byte each. Those that are a single block are kept:
# outputs that are compared are resampled alike.
_BLOCK = 2**27
# So many resamples of so many examples are summed at once: they stay in a core's cache.
_TILE = (64, 4096)


@dataclass(frozen=True)
class Bootstrap:
    """Resampling of examples with replacement; the same resamples for the same seed and number of examples.

    Attributes:
      draws: number of resamples.
      confidence: share of the resamples that an interval covers, between 0 and 1.
      seed: of the random numbers.
    """

    draws: int
    confidence: float
    seed: int

    @property
    def percent(self) -> str:
        """The confidence as people read it."""
        return f'{100 * self.confidence:g} %'

    def sums(self, features: Mapping[str, sparse.csr_array], examples: int) -> dict[str, np.ndarray]:
        """Sums features over each resample. Whatever is a function of sums gets its interval so, fast.

        Args:
          features: name to a matrix [n, k], one row per example.
          examples: n.

        Returns:
          Name to f64 [draws, k].
        """
        matrix = sparse.hstack(list(features.values()), 'csr')
        sums = np.concatenate([_sums(matrix, counts) for counts in self._resamples(examples)])
        ends = np.cumsum([each.shape[1] for each in features.values()])
        return dict(zip(features, np.split(sums, ends[:-1], axis=1), strict=True))

    def counts(self, examples: int) -> np.ndarray:
        """Returns how often each example was drawn, f64 [draws, examples]."""
        return np.concatenate(list(self._resamples(examples)), dtype=np.float64)

    def interval(self, values: np.ndarray) -> np.ndarray:
        """Returns the low and the high end, f64 [2, ...], of values [draws, ...]; NaN is left out."""
        tail = (1 - self.confidence) / 2
        return np.nanquantile(values, [tail, 1 - tail], axis=0)

    def _resamples(self, examples: int) -> Iterator[np.ndarray]:
        """Yields blocks, u8 [block, examples], of how often each example was drawn."""
        if self.draws * examples <= _BLOCK:
            yield _kept(self.seed, self.draws, examples)
        else:
            yield from _drawn(self.seed, self.draws, examples)


def _drawn(seed: int, draws: int, examples: int) -> Iterator[np.ndarray]:
    """Yields blocks, u8 [block, examples], of how often each example was drawn."""
    random = np.random.default_rng(seed)
    block = max(1, _BLOCK // examples)
    for start in range(0, draws, block):
        # A byte: that one of more than 255 examples is drawn more often than so is as likely as 1 in 10^500.
        counts = np.empty((min(block, draws - start), examples), np.uint8)
        for row in counts:
            row[:] = np.bincount(random.integers(examples, size=examples, dtype=np.int32), minlength=examples)
        yield counts


@lru_cache(maxsize=1)
def _kept(seed: int, draws: int, examples: int) -> np.ndarray:
    """Returns the single block of few resamples, u8 [draws, examples], drawn once."""
    (counts,) = _drawn(seed, draws, examples)
    counts.flags.writeable = False
    return counts


def _sums(matrix: sparse.csr_array, counts: np.ndarray) -> np.ndarray:
    """Returns counts [draws, n] times matrix [n, k], f64 [draws, k]."""
    draws, examples = _TILE
    parts = [slice(start, start + examples) for start in range(0, matrix.shape[0], examples)]
    turned = [matrix[part].T for part in parts]
    sums = np.empty((len(counts), matrix.shape[1]))
    for start in range(0, len(counts), draws):
        rows = counts[start : start + draws]
        sums[start : start + draws] = sum(
            each @ rows[:, part].T.astype(np.float64, order='C')
            for part, each in zip(parts, turned, strict=True)
        ).T
    return sums
