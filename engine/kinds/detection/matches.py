"""Average precision and recall from matched boxes, of all images and of resamples.

A resample repeats images, which is the same as weights. The boxes are therefore matched once, and each
resample only sums weights.

Letters: T thresholds of intersection over union, D predicted boxes of a class, R resamples, H hits.
"""

from dataclasses import dataclass

import numpy as np

RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class ClassMatches:
    """The boxes of one class in all images, for targets in one range of areas.

    Attributes:
      hits: whether a predicted box matches a target, by threshold, highest score first, bool [T, D].
      ignored: whether a predicted box does not count: it matches a crowd or a target of another area, or it
        matches none and has another area itself; bool [T, D].
      images: images of the predicted boxes, int [D].
      ranks: number of boxes of the class with higher scores in the same image, int [D].
      targets: number of targets per image that count, int [n].
    """

    hits: np.ndarray
    ignored: np.ndarray
    images: np.ndarray
    ranks: np.ndarray
    targets: np.ndarray

    def precision(self, counts: np.ndarray) -> np.ndarray:
        """Returns average precision by threshold, f64 [T, R]: the mean of precision at the `RECALLS`.

        Precision at a recall is the largest at this or a higher recall. NaN without targets. Equal to
        `accumulate` of pycocotools (Lin et al. 2014, https://arxiv.org/abs/1405.0312).

        Args:
          counts: number of repetitions of the images, int [n, R].
        """
        positives, weights = self._positives(counts), counts[self.images]
        rows = [
            _average_precision(hits, ignored, weights, positives)
            for hits, ignored in zip(self.hits, self.ignored, strict=True)
        ]
        return np.where(positives > 0, np.stack(rows), np.nan)

    def recall(self, counts: np.ndarray, max_boxes: int) -> np.ndarray:
        """Returns the share of the targets that boxes match, by threshold, f64 [T, R]; NaN without targets.

        Args:
          counts: number of repetitions of the images, int [n, R].
          max_boxes: number of boxes per image that count, those with the highest scores.
        """
        positives, weights = self._positives(counts), counts[self.images].astype(np.float64)
        hits = (self.hits & (self.ranks < max_boxes)) @ weights
        return np.where(positives > 0, hits / np.maximum(positives, 1), np.nan)

    def _positives(self, counts: np.ndarray) -> np.ndarray:
        """Returns the number of targets in each resample, f64 [R]."""
        return self.targets @ counts.astype(np.float64)


def _average_precision(
    hits: np.ndarray, ignored: np.ndarray, weights: np.ndarray, positives: np.ndarray
) -> np.ndarray:
    """Returns average precision, f64 [R].

    Precision is largest where a box is a hit, and recall rises only there, so that hits suffice.

    Args:
      hits: whether a box matches a target, bool [D].
      ignored: whether a box does not count, bool [D].
      weights: of the boxes, int [D, R].
      positives: number of targets, f64 [R].
    """
    places = np.flatnonzero(hits)
    if not len(places):
        return np.zeros(len(positives))
    true = np.cumsum(weights[places], axis=0, dtype=np.int64)  # [H, R]
    counted = np.where(ignored[:, np.newaxis], 0, weights) if ignored.any() else weights
    firsts = np.concatenate([[0], places[:-1] + 1])
    boxes = np.cumsum(np.add.reduceat(counted[: places[-1] + 1], firsts, axis=0, dtype=np.int64), axis=0)
    precision = true / (boxes + np.spacing(1))  # as pycocotools, which divides by no 0 so
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    # The number of recalls that each hit is the first to reach.
    reached = np.searchsorted(RECALLS, true / np.maximum(positives, 1), side='right')
    return (best * np.diff(reached, axis=0, prepend=0)).sum(axis=0) / len(RECALLS)
