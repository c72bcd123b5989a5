"""Sums over the pixels of each image that have ground truth. All metrics follow from them.

The images may be far larger than memory: they are read one after another.
"""

from dataclasses import dataclass

import numpy as np

from engine.errors import UserError
from engine.evaluation.kind_evaluation import require
from engine.outputs.outputs import Outputs

RATIOS = (1.25, 1.25**2, 1.25**3)  # of the delta accuracies
BINS = 24  # of targets and predictions
ERRORS = ('count', 'absolute', 'squared', 'target', 'target_squared')
RELATIVE = ('relative', 'relative_squared', *(f'delta_{k + 1}' for k in range(len(RATIOS))))
LOGARITHMIC = ('log_squared', 'log10')


@dataclass(frozen=True)
class Targets:
    """The known targets of all images together.

    Attributes:
      count: how many numbers are known.
      low: the lowest.
      high: the highest.
      mean: their mean.
    """

    count: int
    low: float
    high: float
    mean: float

    @property
    def edges(self) -> np.ndarray:
        """The edges of bins of equal width over their range, f64 [BINS + 1]."""
        spread = (self.high - self.low) or max(abs(self.low), 1.0)
        return np.linspace(self.low, self.low + spread, BINS + 1)


@dataclass(frozen=True)
class PixelSums:
    """Sums over the pixels with ground truth.

    Attributes:
      sums: sums by name, each f64 [n]: one number per image. Targets are less their mean. Relative and
        logarithmic sums exist only if all targets, and for logarithms all predictions, are positive.
      joint: number of pixels by bin of the target (row) and of the prediction (column), [BINS, BINS].
        Predictions outside of the targets' range are in the first and the last column.
      by_target: sum of errors, of absolute and of squared errors, and number, by bin of target, [4, BINS].
      targets: the known targets of all images.
      is_positive: whether all known targets are positive, as depths are.
      below: number of predictions of 0 or less where the target is known.
    """

    sums: dict[str, np.ndarray]
    joint: np.ndarray
    by_target: np.ndarray
    targets: Targets
    is_positive: bool
    below: int


def read(outputs: Outputs) -> PixelSums:
    """Reads outputs of kind `dense`.

    Raises:
      UserError: there are no targets, no pixel with ground truth, or numbers that are not finite.
    """
    require(outputs, 'targets')
    targets, below = _look(outputs)
    positive = targets.low > 0
    names = ERRORS + RELATIVE * positive + LOGARITHMIC * (positive and not below)
    rows, joint, by_target = [], np.zeros((BINS, BINS)), np.zeros((4, BINS))
    for index in range(len(outputs.ids)):
        values, known = image(outputs, index)
        rows.append([_sum(name, values, known, targets.mean) for name in names])
        joint += _joint(values, known, targets.edges)
        by_target += _by_target(values, known, targets.edges)
    sums = dict(zip(names, np.array(rows, np.float64).T, strict=True))
    return PixelSums(sums, joint, by_target, targets, positive, below)


def image(outputs: Outputs, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns predictions and targets of the pixels of an image that have ground truth, each f64 [k]."""
    values, targets = (np.asarray(outputs.arrays[name][index]) for name in ('values', 'targets'))
    known = ~np.isnan(targets)
    return values[known].astype(np.float64), targets[known].astype(np.float64)


def _look(outputs: Outputs) -> tuple[Targets, int]:
    """Returns what is known of all targets, and the number of predictions of 0 or less beside them."""
    count, total, low, high, below = 0, 0.0, np.inf, -np.inf, 0
    for index, name in enumerate(outputs.ids):
        values, known = image(outputs, index)
        for array, numbers in (('values', outputs.arrays['values'][index]), ('targets', known)):
            if not np.isfinite(numbers).all():
                raise UserError(_not_finite(outputs, array, name))
        if known.size:
            count, total, below = count + known.size, total + known.sum(), below + int((values <= 0).sum())
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    if not count:
        raise UserError(
            f'{outputs.folder}: targets.npy has no pixel with ground truth: all are NaN, or there are none.'
        )
    return Targets(count, low, high, float(total) / count), below


def _not_finite(outputs: Outputs, array: str, name: str) -> str:
    advice = 'Look for where the model diverged.'
    if array == 'targets':
        advice = 'Write NaN where there is no ground truth.'
    return f'{outputs.folder}: {array}.npy is not finite for the example {name!r}. {advice}'


def _sum(name: str, values: np.ndarray, targets: np.ndarray, mean: float) -> float:
    """Returns one sum over pixels, from predictions and targets [k]."""
    errors = values - targets
    if name.startswith('delta_'):
        with np.errstate(divide='ignore'):
            ratios = np.where(values > 0, np.maximum(values / targets, targets / values), np.inf)
        return float(np.count_nonzero(ratios < RATIOS[int(name[-1]) - 1]))
    numbers = {
        'count': lambda: np.ones(len(values)),
        'absolute': lambda: np.abs(errors),
        'squared': lambda: np.square(errors),
        'target': lambda: targets - mean,
        'target_squared': lambda: np.square(targets - mean),
        'relative': lambda: np.abs(errors) / targets,
        'relative_squared': lambda: np.square(errors) / targets,
        'log_squared': lambda: np.square(np.log(values) - np.log(targets)),
        'log10': lambda: np.abs(np.log10(values) - np.log10(targets)),
    }[name]
    return float(numbers().sum())


def _bin(numbers: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.clip(np.searchsorted(edges, numbers, side='right') - 1, 0, BINS - 1)


def _joint(values: np.ndarray, targets: np.ndarray, edges: np.ndarray) -> np.ndarray:
    pairs = _bin(targets, edges) * BINS + _bin(values, edges)
    return np.bincount(pairs, minlength=BINS**2).reshape(BINS, BINS)


def _by_target(values: np.ndarray, targets: np.ndarray, edges: np.ndarray) -> np.ndarray:
    bins, errors = _bin(targets, edges), values - targets
    weights = (errors, np.abs(errors), np.square(errors), np.ones(len(errors)))
    return np.stack([np.bincount(bins, each, minlength=BINS) for each in weights])
