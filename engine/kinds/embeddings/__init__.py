"""Outputs of kind `embeddings`: a vector for each example. Similar examples should have similar vectors."""

import numpy as np

from engine.outputs.kind import INPUTS, Arrays, Field, Kind

_BLOCK_PAIRS = 2**20  # compared at once


def unit(embeddings: np.ndarray) -> np.ndarray:
    """Returns embeddings of length 1, f64 [n, d]. Vectors of zeros stay as they are.

    >>> unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    wide = np.asarray(embeddings, np.float64)
    # Divided by the largest number first, whose square could be too large or too small for a float.
    wide = wide / _nonzero(np.abs(wide).max(axis=1, keepdims=True, initial=0))
    return wide / _nonzero(np.sqrt(np.square(wide).sum(axis=1, keepdims=True)))


def _nonzero(lengths: np.ndarray) -> np.ndarray:
    return np.where(lengths > 0, lengths, 1)


def agreement(predictions: Arrays, labels: Arrays) -> float:
    """Returns how often the most similar other example has the same label, less what chance would give.

    Args:
      predictions: `embeddings` [n, d].
      labels: `labels`, int [n].
    """
    vectors, classes = unit(predictions['embeddings']), np.asarray(labels['labels'])
    n, rows, right = len(vectors), max(1, _BLOCK_PAIRS // len(vectors)), 0
    for start in range(0, n, rows):
        similarities = vectors[start : start + rows] @ vectors.T
        block = np.arange(len(similarities))
        similarities[block, start + block] = -np.inf  # an example is not its own neighbour
        right += int((classes[similarities.argmax(axis=1)] == classes[start + block]).sum())
    counts = np.unique(classes, return_counts=True)[1]
    chance = float((counts * (counts - 1)).sum() / max(n * (n - 1), 1))
    return 1.0 if chance == 1 else (right / n - chance) / (1 - chance)


KIND = Kind(
    arrays={
        'embeddings': Field('float32', 'n d', also='float16'),
        'labels': Field('int32', 'n', below='classes'),
        'is_query': Field('bool', 'n'),
        **INPUTS,
    },
    needs=(('embeddings',),),
    from_data=('labels',),
    agreement=agreement,
)
