"""Bootstrap intervals: how far a number would move with another sample of examples.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

# Resamples are drawn in blocks of at most so many counts: 32 MB.
_BLOCK = 2**22


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
        blocks = [
            {name: (matrix.T @ counts.T).T for name, matrix in features.items()}
            for counts in self._resamples(examples)
        ]
        return {name: np.concatenate([block[name] for block in blocks]) for name in features}

    def counts(self, examples: int) -> np.ndarray:
        """Returns how often each example was drawn, f64 [draws, examples]."""
        return np.concatenate(list(self._resamples(examples)))

    def interval(self, values: np.ndarray) -> np.ndarray:
        """Returns the low and the high end, f64 [2, ...], of values [draws, ...]; NaN is left out."""
        tail = (1 - self.confidence) / 2
        return np.nanquantile(values, [tail, 1 - tail], axis=0)

    def _resamples(self, examples: int) -> Iterator[np.ndarray]:
        """Yields blocks, f64 [block, examples], of how often each example was drawn."""
        random = np.random.default_rng(self.seed)
        block = max(1, _BLOCK // examples)
        for start in range(0, self.draws, block):
            rows = min(block, self.draws - start)
            drawn = random.integers(examples, size=(rows, examples))
            places = drawn + examples * np.arange(rows)[:, np.newaxis]
            counts = np.bincount(places.ravel(), minlength=rows * examples)
            yield counts.reshape(rows, examples).astype(np.float64)
