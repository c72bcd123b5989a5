"""Outputs of kind `classification`: a class for each example."""

from collections.abc import Iterator, Sequence

import numpy as np

from engine.outputs.kind import INPUTS, Arrays, Field, Kind

_BLOCK_ROWS = 4096  # computed at once, because all rows may not fit into memory


def predictions_table(
    arrays: Arrays, ids: Sequence[str], class_names: Sequence[str]
) -> dict[str, Sequence[str]]:
    """Returns the columns of predictions.csv: id, predicted class, confidence, and label if there is one."""
    scores = arrays['logits'] if 'logits' in arrays else arrays['probabilities']
    confidences = _confidences(scores) if 'logits' in arrays else scores.max(axis=1)
    names = list(class_names) or [str(index) for index in range(scores.shape[1])]
    columns: dict[str, Sequence[str]] = {
        'id': ids,
        'prediction': [names[index] for index in scores.argmax(axis=1)],
        'confidence': [f'{confidence:.6f}' for confidence in confidences],
    }
    if 'labels' in arrays:
        columns['label'] = [names[index] for index in arrays['labels']]
    return columns


def accuracy(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of examples whose most probable class is the label."""
    name = 'logits' if 'logits' in predictions else 'probabilities'
    return float(np.mean(predictions[name].argmax(-1) == labels['labels']))


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
        'labels': Field('int32', 'n', below='classes'),
        **INPUTS,
    },
    needs=(('logits', 'probabilities'),),
    from_data=('labels',),
    table=predictions_table,
    agreement=accuracy,
)
