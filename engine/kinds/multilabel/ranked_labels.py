"""Metrics of rankings: average precision and ROC AUC of classes, and the order of the classes of an example.

Only known labels take part. A resample repeats examples, which is the same as weights.
"""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from engine.kinds.classification.ranking_scores import RankedClass
from engine.kinds.multilabel.label_sets import LabelSets

_THREADS = min(8, os.cpu_count() or 1)
_POOLED_RESAMPLES = 8  # computed at once for all labels together, which are many


@dataclass(frozen=True)
class RankedLabels:
    """The examples by the scores of each class, and all pairs of example and class by their scores.

    Attributes:
      classes: one per class; None for a class without known positive examples.
      pooled: all known labels as one ranking; None without known positive ones.
      pools: whether all known labels are ranked together; they may be too many.
    """

    classes: tuple[RankedClass | None, ...]
    pooled: RankedClass | None
    pools: bool

    @classmethod
    def of(cls, sets: LabelSets, pool: bool) -> 'RankedLabels':
        """Sorts the known labels, also as one ranking if `pool`."""
        columns = range(sets.scores.shape[1])
        with ThreadPoolExecutor(_THREADS) as threads:
            classes = tuple(threads.map(lambda k: _ranked(sets, np.s_[:, k]), columns))
        return cls(classes, _ranked(sets, np.s_[:, :]) if pool else None, pool)

    def scores(self, blocks: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """Returns `ap` and `roc_auc`, f64 [resamples, classes], and `micro_ap`, f64 [resamples].

        NaN for a class without known positive examples in a resample, and for ROC AUC without negative ones.

        Args:
          blocks: how often each example counts in some resamples, int [block, n].
        """
        parts = [self._block(np.ascontiguousarray(counts.T)) for counts in blocks]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _block(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        nothing = np.full((2, weights.shape[1]), np.nan)
        with ThreadPoolExecutor(_THREADS) as threads:
            scored = threads.map(lambda one: np.stack(one.scores(weights)) if one else nothing, self.classes)
            auc, precision = np.stack(list(scored), axis=-1)
        scores = {'ap': precision, 'roc_auc': auc}
        if self.pools:
            scores['micro_ap'] = _pooled(self.pooled, weights) if self.pooled else nothing[0]
        return scores


def _ranked(sets: LabelSets, part: tuple) -> RankedClass | None:
    """Ranks the known labels of a part of the columns. Orders refer to examples."""
    known = sets.known[part]
    examples = np.nonzero(known)[0]
    ranked = RankedClass.of(sets.scores[part][known].astype(np.float64), sets.positive[part][known])
    return ranked and replace(ranked, order=examples[ranked.order], positives=examples[ranked.positives])


def _pooled(ranked: RankedClass, weights: np.ndarray) -> np.ndarray:
    starts = range(0, weights.shape[1], _POOLED_RESAMPLES)
    parts = [ranked.scores(weights[:, start : start + _POOLED_RESAMPLES])[1] for start in starts]
    return np.concatenate(parts)


def orders(sets: LabelSets) -> dict[str, np.ndarray]:
    """Returns `ranking_loss` and `coverage_error` of each example, f64 [n].

    Both are 0 for an example without known positive labels, and the loss without known negative ones, as in
    scikit-learn, label_ranking_loss and coverage_error.
    """
    scores = np.where(sets.known, sets.scores.astype(np.float64), np.nan)
    lowest = np.where(sets.positive, scores, np.inf).min(axis=1)
    with np.errstate(invalid='ignore'):
        coverage = (scores >= lowest[:, np.newaxis]).sum(axis=1)
    rows = zip(scores, sets.positive, sets.known & ~sets.positive, strict=True)
    losses = [_ranking_loss(row[positive], row[negative]) for row, positive, negative in rows]
    return {'ranking_loss': np.array(losses), 'coverage_error': coverage.astype(np.float64)}


def _ranking_loss(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Returns the share of pairs in which the negative label's score is not below the positive one's."""
    pairs = len(positives) * len(negatives)
    if not pairs:
        return 0.0
    return float(np.searchsorted(np.sort(positives), negatives, side='right').sum() / pairs)
