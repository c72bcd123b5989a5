"""Numbers of pixels per class, from which all metrics of segmentation are computed."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.evaluation.kind_evaluation import require
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import Pictures


@dataclass(frozen=True)
class Pixels:
    """Numbers of pixels in predicted masks and targets.

    Attributes:
      hits: pixels of each class in both, i64 [n, classes].
      targets: pixels of each class in the target, i64 [n, classes].
      predicted: pixels of each class in the prediction, i64 [n, classes].
      confusion: pixels of all examples by class in the target (row) and in the prediction (column), i64
        [classes, classes].
      class_names: one per class.
    """

    hits: np.ndarray
    targets: np.ndarray
    predicted: np.ndarray
    confusion: np.ndarray
    class_names: tuple[str, ...]


def count_pixels(outputs: Outputs) -> Pixels:
    """Counts the pixels of outputs of kind `segmentation`.

    Raises:
      UserError: the targets are missing, or the masks have no pixels.
    """
    require(outputs, 'targets')
    targets, masks = outputs.arrays['targets'], outputs.arrays['masks']
    if not masks.size:
        raise UserError(
            f'{outputs.folder}: masks.npy holds images of {masks.shape[1]}x{masks.shape[2]} pixels.'
        )
    names = outputs.class_names or tuple(map(str, range(1 + _largest_label(outputs))))
    total, counts = np.zeros((len(names), len(names)), np.int64), []
    for target, mask in zip(targets, masks, strict=True):
        counted = ~outputs.manifest.is_ignored(target)
        image = confusion(target[counted], mask[counted], len(names))
        counts.append((image.diagonal(), image.sum(1), image.sum(0)))
        total += image
    hits, in_targets, predicted = np.stack(counts, 1)
    return Pixels(hits, in_targets, predicted, total, names)


def _largest_label(outputs: Outputs) -> int:
    """Returns the largest class among the predictions and the pixels of the targets that count."""
    masks, targets = (_values(outputs.arrays[name]) for name in ('masks', 'targets'))
    counted = np.where(outputs.manifest.is_ignored(targets), 0, targets)
    return max(int(masks.max()), int(counted.max()))


def _values(masks: Any) -> np.ndarray:
    """Returns an array with the values of all masks; the array itself if there is one."""
    return masks.values if isinstance(masks, Pictures) else np.asarray(masks)


def confusion(target: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    """Returns the number of pixels of each class (row) predicted as each class (column), i64.

    Args:
      target: true class of each pixel that counts, int [...].
      mask: predicted class of each of them, int [...].
      classes: number of classes.
    """
    pairs = target.astype(np.int64).ravel() * classes + mask.ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def scores(hits: np.ndarray, targets: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Returns `iou` and `dice` of each class, f64 [..., classes].

    Args:
      hits: pixels of each class in both masks, [..., classes].
      targets: pixels of each class in the target, [..., classes].
      predicted: pixels of each class in the prediction, [..., classes].

    Returns:
      NaN for a class in neither mask, and 0 for a class in one mask alone.
    """
    both = targets + predicted
    absent = np.where(both > 0, 0, np.nan)
    return {
        'iou': hits / np.maximum(both - hits, 1) + absent,
        'dice': 2 * hits / np.maximum(both, 1) + absent,
    }
