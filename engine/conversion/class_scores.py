"""Decides whether scores of classes are probabilities or logits."""

import numpy as np

MAX_ERROR = 1e-3  # how far the sum of probabilities may be from 1


def named(scores: np.ndarray) -> tuple[str, np.ndarray, str]:
    """Returns the name of the array that scores are, the array, and a note that says so.

    Rows that are at least 0 and sum to 1 are probabilities. They are divided by their sums, because a table
    rounds them. All other scores are logits.

    >>> named(np.array([[0.25, 0.75]]))[0], named(np.array([[-1.0, 2.0]]))[0]
    ('probabilities', 'logits')

    Args:
      scores: floats [n, classes].
    """
    sums = scores.sum(axis=1, keepdims=True)
    if (scores >= 0).all() and (abs(sums - 1) <= MAX_ERROR).all():
        return 'probabilities', scores / sums, 'The scores of each row sum to 1: they are probabilities.'
    return 'logits', scores, 'The scores of the rows do not sum to 1: they are read as logits.'
