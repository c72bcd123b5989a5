"""Outputs of kind `classification`: a class for each example."""

from collections.abc import Iterator, Sequence

import numpy as np

from engine.errors import UserError
from engine.outputs.joint.averages import mean, vote
from engine.outputs.kind import INPUTS, Arrays, Field, Kind

_BLOCK_ROWS = 4096  # computed at once, because all rows may not fit into memory


def predictions_table(
    arrays: Arrays, ids: Sequence[str], class_names: Sequence[str]
) -> dict[str, Sequence[str]]:
    """Returns the columns of predictions.csv: id, predicted class, and confidence and label if known."""
    predictions = predicted_classes(arrays)
    names = class_names or range(1 + max(int(predictions.max()), int(np.max(arrays.get('labels', 0)))))
    columns: dict[str, Sequence[str]] = {
        'id': ids,
        'prediction': [str(names[index]) for index in predictions],
    }
    if 'predicted' not in arrays:
        confidences = (
            _confidences(arrays['logits']) if 'logits' in arrays else arrays['probabilities'].max(axis=1)
        )
        columns['confidence'] = [f'{confidence:.6f}' for confidence in confidences]
    if 'labels' in arrays:
        columns['label'] = [str(names[index]) for index in arrays['labels']]
    return columns


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


def _confidences(logits: np.ndarray) -> np.ndarray:
    """Returns the probability of the most probable class, f64 [n], from logits [n, classes]."""
    # A diverged model may have written infinities. They become NaN here, and the evaluator reports them.
    with np.errstate(invalid='ignore'):
        return np.concatenate([1 / np.exp(_below_largest(rows)).sum(axis=1) for rows in _blocks(logits)])


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
