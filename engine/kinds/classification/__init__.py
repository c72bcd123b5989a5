"""Outputs of kind `classification`: a class for each example."""

from collections.abc import Iterator, Sequence

import numpy as np

from engine.errors import UserError
from engine.outputs.joint.averages import mean, vote
from engine.outputs.kind import INPUTS, Arrays, Field, Kind

_BLOCK_ROWS = 4096  # computed at once, because all rows may not fit into memory
RANKS = ('second', 'third', 'fourth', 'fifth')  # of the classes in predictions.csv after the predicted one


def predictions_table(
    arrays: Arrays, ids: Sequence[str], class_names: Sequence[str]
) -> dict[str, Sequence[str]]:
    """Returns the columns of predictions.csv.

    These are id and predicted class, its probability if known, the label if known, and the next classes
    with their probabilities.
    """
    predictions = predicted_classes(arrays)
    classes, probabilities = likely_classes(arrays, 1 + len(RANKS))
    indices = (predictions, arrays.get('labels', predictions), classes)
    names = class_names or range(1 + max(int(array.max(initial=0)) for array in indices))
    columns: dict[str, Sequence[str]] = {'id': ids, 'prediction': _named(names, predictions)}
    if classes.shape[1]:
        columns['probability'] = _decimals(probabilities[:, 0])
    if 'labels' in arrays:
        columns['label'] = _named(names, arrays['labels'])
    for rank, index in zip(RANKS, range(1, classes.shape[1]), strict=False):
        columns[rank] = _named(names, classes[:, index])
        columns[f'{rank}_probability'] = _decimals(probabilities[:, index])
    return columns


def _named(names: Sequence[object], indices: np.ndarray) -> list[str]:
    return [str(names[index]) for index in indices]


def _decimals(numbers: np.ndarray) -> list[str]:
    return [f'{number:.6f}' for number in numbers]


def predicted_classes(arrays: Arrays) -> np.ndarray:
    """Returns the predicted class of each example, int [n]: the first of the most probable ones.

    >>> predicted_classes({'logits': np.array([[0.1, 0.9], [0.5, 0.5]], np.float32)}).tolist()
    [1, 0]
    """
    if 'predicted' in arrays:
        return arrays['predicted']
    return arrays['logits' if 'logits' in arrays else 'probabilities'].argmax(-1)


def accuracy(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of examples whose predicted class is the label."""
    return float(np.mean(predicted_classes(predictions) == labels['labels']))


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the mean of the members' probabilities, in float64.

    Where all members hold predicted classes alone, it is the class that most of them predict; of equally
    frequent ones the lowest.

    Raises:
      UserError: some members hold predicted classes alone.
    """
    alone = ['predicted' in arrays for arrays in members]
    if all(alone):
        return {'predicted': vote([arrays['predicted'] for arrays in members])}
    if any(alone):
        raise UserError(
            f'{sum(alone)} of {len(members)} members hold predicted classes alone, and the others scores of '
            'all classes. Pass members of one form.'
        )
    return {'probabilities': mean([_probabilities(arrays) for arrays in members])}


def _probabilities(arrays: Arrays) -> np.ndarray:
    """Returns the probabilities of all classes, f64 [n, classes], from logits by softmax.

    Probabilities in float16 are scaled to the sum 1, from which rounding moved them.
    """
    if 'logits' in arrays:
        with np.errstate(invalid='ignore'):  # the evaluator reports infinities of a diverged model
            return np.concatenate([_softmax(rows) for rows in _blocks(arrays['logits'])])
    wide = arrays['probabilities'].astype(np.float64)
    return wide / wide.sum(axis=1, keepdims=True) if arrays['probabilities'].dtype == np.float16 else wide


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(_below_largest(logits))
    return powers / powers.sum(axis=1, keepdims=True)


def likely_classes(arrays: Arrays, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the most probable classes of each example, the predicted class first.

    >>> classes, probabilities = likely_classes({'probabilities': np.array([[0.2, 0.5, 0.3]])}, 2)
    >>> classes.tolist(), probabilities.tolist()
    ([[1, 2]], [[0.5, 0.3]])

    Args:
      arrays: logits or probabilities [n, classes].
      count: number of classes wanted.

    Returns:
      The classes, int [n, k], and their probabilities, f64 [n, k]. k is `count`, fewer if there are fewer
      classes, and 0 if only predicted classes are known.
    """
    if 'predicted' in arrays:
        none = np.zeros((len(arrays['predicted']), 0))
        return none.astype(np.int64), none
    name = 'logits' if 'logits' in arrays else 'probabilities'
    parts = [_likely(rows, min(count, rows.shape[1]), name == 'logits') for rows in _blocks(arrays[name])]
    classes, probabilities = zip(*parts, strict=True)
    return np.concatenate(classes), np.concatenate(probabilities)


def _likely(rows: np.ndarray, count: int, are_logits: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns what `likely_classes` does, from a block of rows."""
    first = rows.argmax(axis=1, keepdims=True)
    keys = -rows.astype(np.float64)
    np.put_along_axis(keys, first, -np.inf, axis=1)
    largest = np.argpartition(keys, count - 1, axis=1)[:, :count]
    largest.sort(axis=1)  # of equally probable classes, the one with the lower index comes first
    order = np.take_along_axis(keys, largest, axis=1).argsort(axis=1, kind='stable')
    classes = np.take_along_axis(largest, order, axis=1)
    # A diverged model may have written infinities. They become NaN here, and the evaluator reports them.
    with np.errstate(invalid='ignore'):
        powers = np.exp(_below_largest(rows)) if are_logits else rows.astype(np.float64)
        total = powers.sum(axis=1, keepdims=True) if are_logits else 1
        return classes, np.take_along_axis(powers, classes, axis=1) / total


def _blocks(logits: np.ndarray) -> Iterator[np.ndarray]:
    return (logits[start : start + _BLOCK_ROWS] for start in range(0, len(logits), _BLOCK_ROWS))


def _below_largest(logits: np.ndarray) -> np.ndarray:
    return np.subtract(logits, logits.max(axis=1, keepdims=True), dtype=np.float64)


KIND = Kind(
    arrays={
        'logits': Field('float32', 'n classes', also='float16'),
        'probabilities': Field('float32', 'n classes', also='float16'),
        'predicted': Field('int32', 'n', below='classes'),
        'labels': Field('int32', 'n', below='classes'),
        **INPUTS,
    },
    needs=(('logits', 'probabilities', 'predicted'),),
    from_data=('labels',),
    table=predictions_table,
    ensemble=ensemble,
    agreement=accuracy,
)
