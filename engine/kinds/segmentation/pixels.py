"""Numbers of pixels per class, from which all metrics of segmentation are computed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from engine.errors import UserError
from engine.evaluation.kind_evaluation import require
from engine.outputs.outputs import Outputs
from engine.outputs.pictures.sequence import Pictures

MAX_COUNTED_CLASSES = 256  # in one image; pairs of more classes are sorted, not counted in a table


@dataclass(frozen=True)
class Pixels:
    """Numbers of pixels in predicted masks and targets.

    Attributes:
      hits: pixels of each class in both, f64 [n, classes]; sparse, because an image shows few of many
        classes.
      targets: pixels of each class in the target, f64 [n, classes].
      predicted: pixels of each class in the prediction, f64 [n, classes].
      confusion: pixels of all examples by class in the target (row) and in the prediction (column), f64
        [classes, classes].
      class_names: one per class.
    """

    hits: sparse.csr_array
    targets: sparse.csr_array
    predicted: sparse.csr_array
    confusion: sparse.csr_array
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
    images = []
    for target, mask in zip(targets, masks, strict=True):
        counted = ~outputs.manifest.is_ignored(target)
        images.append(pairs(target[counted], mask[counted], len(names)))
    rows = np.repeat(np.arange(len(images)), [len(of_image[0]) for of_image in images])
    in_target, in_mask, number = np.concatenate(images, axis=1)
    right = in_target == in_mask
    by_class = (len(images), len(names))
    return Pixels(
        _summed(number[right], rows[right], in_target[right], by_class),
        _summed(number, rows, in_target, by_class),
        _summed(number, rows, in_mask, by_class),
        _summed(number, in_target, in_mask, (len(names), len(names))),
        names,
    )


def _summed(
    values: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_array:
    """Returns a matrix whose entries are the sums of the values with the same row and column, f64."""
    return sparse.csr_array(sparse.coo_array((values.astype(np.float64), (rows, columns)), shape=shape))


def _largest_label(outputs: Outputs) -> int:
    """Returns the largest class among the predictions and the pixels of the targets that count."""
    masks, targets = (_values(outputs.arrays[name]) for name in ('masks', 'targets'))
    counted = np.where(outputs.manifest.is_ignored(targets), 0, targets)
    return max(int(masks.max()), int(counted.max()))


def _values(masks: Any) -> np.ndarray:
    """Returns an array with the values of all masks; the array itself if there is one."""
    return masks.values if isinstance(masks, Pictures) else np.asarray(masks)


def pairs(target: np.ndarray, mask: np.ndarray, classes: int) -> np.ndarray:
    """Returns the pairs of true and predicted class that occur, and how many pixels have each, i64 [3, k].

    Args:
      target: true class of each pixel that counts, int [...].
      mask: predicted class of each of them, int [...].
      classes: number of classes.
    """
    target, mask = target.ravel(), mask.ravel()
    present = np.flatnonzero(np.bincount(target, minlength=classes) + np.bincount(mask, minlength=classes))
    places = np.zeros(classes, np.int64)
    places[present] = np.arange(len(present))
    codes = places[target] * len(present) + places[mask]
    if len(present) <= MAX_COUNTED_CLASSES:
        table = np.bincount(codes, minlength=len(present) ** 2)
        distinct = np.flatnonzero(table)
        counts = table[distinct]
    else:
        distinct, counts = np.unique(codes, return_counts=True)
    return np.stack(
        [present[distinct // max(len(present), 1)], present[distinct % max(len(present), 1)], counts]
    )


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
