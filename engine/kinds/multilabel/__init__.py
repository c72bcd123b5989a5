"""Outputs of kind `multilabel`: for each class, whether an example has it. Labels may be missing."""

from collections.abc import Iterable, Sequence

import numpy as np

from engine.errors import UserError
from engine.outputs.joint.averages import mean
from engine.outputs.kind import INPUTS, Arrays, Field, Kind

MISSING = -1  # a label that is not known, as in CheXpert and OpenImages
THRESHOLD = 0.5
SEPARATOR = '; '  # between the names of the classes of one example


def pack(arrays: Arrays) -> dict[str, np.ndarray]:
    """Returns a task's arrays with `targets`, int8 [n, classes]: 1, 0, or -1 where a label is missing.

    >>> logits = np.zeros((2, 3), np.float32)
    >>> pack({'logits': logits, 'labels': np.array([[2, 0], [1, -1]])})['targets'].tolist()
    [[1, 0, 1], [0, 1, 0]]

    Args:
      arrays: with `targets`, [n, classes], in which NaN stands for -1 too; or with `labels`, int [n] or [n,
        k]: the indices of the classes of each example, padded with -1.

    Raises:
      UserError: targets are other numbers, or labels are not indices of classes.
    """
    packed = dict(arrays)
    if 'labels' in packed:
        packed['targets'] = _multi_hot(np.asarray(packed.pop('labels')), scores_of(packed).shape[-1])
    elif 'targets' in packed:
        packed['targets'] = _targets(np.asarray(packed['targets']))
    return packed


def _targets(targets: np.ndarray) -> np.ndarray:
    known = targets == targets  # NaN is not
    bad = known & (targets != 0) & (targets != 1) & (targets != MISSING)
    if bad.any():
        raise UserError(
            f'targets hold {targets[bad].flat[0]}, but 1 (the example has the class), 0 (it does not) and -1 '
            'or NaN (unknown) are the only labels.'
        )
    packed = np.full(targets.shape, MISSING, np.int8)
    packed[known] = targets[known]
    return packed


def _multi_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Returns lists of classes, int [n] or [n, k] padded with -1, as int8 [n, classes]."""
    labels = labels.reshape(len(labels), -1)
    if labels.dtype.kind not in 'iu' or (labels < MISSING).any() or (labels >= classes).any():
        raise UserError(
            f'labels hold {labels.dtype} from {labels.min()} to {labels.max()}, but indices of the {classes} '
            'classes, padded with -1, are needed.'
        )
    hot = np.zeros((len(labels), classes + 1), np.int8)  # the last column takes the padding
    hot[np.arange(len(labels))[:, np.newaxis], labels] = 1
    return hot[:, :classes]


def scores_of(arrays: Arrays) -> np.ndarray:
    """Returns the scores of the classes, logits or probabilities, [n, classes]."""
    return arrays['logits' if 'logits' in arrays else 'probabilities']


def class_probabilities(arrays: Arrays) -> np.ndarray:
    """Returns the probability of each class, f64 [n, classes]: saved ones, or the sigmoid of logits.

    >>> class_probabilities({'logits': np.zeros((1, 2), np.float32)}).tolist()
    [[0.5, 0.5]]
    """
    if 'probabilities' in arrays:
        return np.asarray(arrays['probabilities'], np.float64)
    # Of -|x|, because the exponential of a large number is infinite.
    small = np.exp(-np.abs(np.asarray(arrays['logits'], np.float64)))
    return np.where(np.asarray(arrays['logits']) >= 0, 1, small) / (1 + small)


def predictions_table(
    arrays: Arrays, ids: Sequence[str], class_names: Sequence[str]
) -> dict[str, Sequence[str]]:
    """Returns the columns of predictions.csv: id, predicted classes, true classes if known."""
    predicted = class_probabilities(arrays) >= THRESHOLD
    names = class_names or [str(index) for index in range(predicted.shape[1])]
    columns: dict[str, Sequence[str]] = {'id': ids, 'prediction': joined(predicted, names)}
    if 'targets' in arrays:
        columns['label'] = joined(np.asarray(arrays['targets']) == 1, names)
    return columns


def joined(chosen: Iterable[np.ndarray], names: Sequence[str]) -> list[str]:
    """Returns the names of the chosen classes of each example, `cat; dog`, from bool [n, classes]."""
    return [SEPARATOR.join(names[index] for index in np.flatnonzero(row).tolist()) for row in chosen]


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the mean of the members' probabilities, in float64."""
    return {'probabilities': mean([class_probabilities(arrays) for arrays in members])}


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns 1 minus the number of wrong labels over that of the best constant guess for each class.

    Args:
      predictions: `logits` or `probabilities`.
      labels: `targets` or `labels`, as `pack` takes them. Missing labels do not count.
    """
    targets = pack({**predictions, **labels})['targets']
    known, positive = targets != MISSING, targets == 1
    wrong = known & ((class_probabilities(predictions) >= THRESHOLD) != positive)
    positives = positive.sum(0)
    by_constant = np.minimum(positives, known.sum(0) - positives).sum()
    return float(1 - wrong.sum() / max(by_constant, 1))


KIND = Kind(
    arrays={
        'logits': Field('float32', 'n classes', also='float16'),
        'probabilities': Field('float32', 'n classes', also='float16'),
        'targets': Field('int8', 'n classes'),
        **INPUTS,
    },
    needs=(('logits', 'probabilities'),),
    from_data=('targets',),
    pack=pack,
    takes='targets [n, classes] of 1, 0 and -1 or NaN, or labels int32 [n, k]: classes padded with -1',
    table=predictions_table,
    ensemble=ensemble,
    agreement=agreement,
)
