"""ROC AUC and average precision, of all examples and of resamples.

A resample repeats examples, which is the same as weights. The examples are therefore sorted once per class,
and each resample only sums weights.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class RankedClass:
    """The examples by the score of one class, the highest first, in groups of equal scores.

    Only groups that hold positive examples are listed: G of them.

    Attributes:
      order: the examples, int [n].
      bounds: where sums of weights begin, int [B], from 0, ascending.
      starts: for each group, the number of `bounds` before its first example, int [G].
      ends: for each group, the number of `bounds` before the first example after it, int [G].
      positives: the positive examples in this order, int [P].
      firsts: for each group, the index in `positives` of its first positive example, int [G].
    """

    order: np.ndarray
    bounds: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    positives: np.ndarray
    firsts: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, positive: np.ndarray) -> 'RankedClass | None':
        """Sorts examples by scores f64 [n]; None if no example is positive, bool [n]."""
        order = np.argsort(-scores, kind='stable')
        places = np.flatnonzero(positive[order])
        if not len(places):
            return None
        sorted_scores = scores[order]
        edges = np.flatnonzero(np.diff(sorted_scores)) + 1  # where another score begins
        groups = np.searchsorted(edges, places, side='right')
        firsts = np.flatnonzero(np.diff(groups, prepend=-1))
        starts = np.concatenate([[0], edges])[groups[firsts]]
        ends = np.concatenate([edges, [len(order)]])[groups[firsts]]
        bounds = np.unique(np.concatenate([[0], starts, ends]))
        starts, ends = np.searchsorted(bounds, starts), np.searchsorted(bounds, ends)
        return cls(order, bounds[bounds < len(order)], starts, ends, order[places], firsts)

    def scores(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns ROC AUC and average precision, each f64 [R], for weights of the examples, int [n, R].

        NaN without positive examples, and for ROC AUC without negative ones.

        Source: scikit-learn, roc_auc_score and average_precision_score with sample_weight.
        """
        sums = np.add.reduceat(weights[self.order], self.bounds, axis=0, dtype=np.int64)
        up_to = np.concatenate([np.zeros_like(sums[:1]), np.cumsum(sums, axis=0)])
        hits = np.add.reduceat(weights[self.positives], self.firsts, axis=0, dtype=np.int64)
        hits_up_to = np.cumsum(hits, axis=0)
        before, after = up_to[self.starts], up_to[self.ends]  # [G, R]
        positives, all_examples = hits_up_to[-1].astype(np.float64), up_to[-1]
        with np.errstate(invalid='ignore', divide='ignore'):
            # Twice the negatives above each group, and once those in it: ties count half.
            above = (before - (hits_up_to - hits)) + (after - hits_up_to)
            auc = 1 - (hits * above).sum(0) / (2 * positives * (all_examples - positives))
            precision = hits_up_to / np.maximum(after, 1)
            return auc, (hits * precision).sum(0) / positives


@dataclass(frozen=True)
class RankedClasses:
    """The classes of which ROC AUC and average precision are the mean: the second of two, else all."""

    classes: tuple[RankedClass, ...]

    @classmethod
    def of(cls, probabilities: np.ndarray, labels: np.ndarray) -> 'RankedClasses':
        """Sorts the examples by the probabilities of each class, f64 [n, classes]; labels are int [n]."""
        chosen = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
        with ThreadPoolExecutor(_THREADS) as threads:
            ranked = threads.map(lambda k: RankedClass.of(probabilities[:, k], labels == k), chosen)
        return cls(tuple(one for one in ranked if one))

    def metrics(self, blocks: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """Returns `roc_auc` and `average_precision` of each resample, f64 [resamples].

        A class without positive examples in a resample does not count. NaN if no class counts.

        Args:
          blocks: how often each example counts in some resamples, int [block, n].
        """
        with ThreadPoolExecutor(_THREADS) as threads:
            means = [self._means(counts, threads) for counts in blocks]
        auc, precision = np.concatenate(means, axis=1)
        return {'roc_auc': auc, 'average_precision': precision}

    def _means(self, counts: np.ndarray, threads: ThreadPoolExecutor) -> np.ndarray:
        """Returns both metrics for counts int [block, n], f64 [2, block]."""
        weights = np.ascontiguousarray(counts.T)
        sums, numbers = np.zeros((2, len(counts))), np.zeros((2, len(counts)))
        for scores in threads.map(lambda ranked: np.stack(ranked.scores(weights)), self.classes):
            sums += np.nan_to_num(scores)
            numbers += ~np.isnan(scores)
        return sums / np.where(numbers > 0, numbers, np.nan)
