"""Draws a validation set from the training examples, where a dataset has none.

An example belongs to validation if the sha256 of its id says so, about one in ten. So each machine draws the
same, and an added example moves no other, apart from the exceptions that keep a set from being empty:

- Validation has at least one example, and so has training, if there are two.
- Each class keeps at least one example for training.
- Each class with at least `MIN_CLASS` examples has at least one in validation.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

SHARE = 10  # about one example in 10 is drawn
MIN_CLASS = 5  # examples of a class from which on one of them is drawn


def drawn(ids: Sequence[str], classes: Sequence[Any] | None = None) -> np.ndarray:
    """Returns which examples become the validation set, bool [n]. With fewer than two, none does.

    >>> drawn(['1.png', '2.png', '3.png', '4.png']).tolist()
    [True, False, False, False]

    Args:
      ids: the ids of the examples.
      classes: the class of each; one for all by default.
    """
    digests = np.array([digest(identity) for identity in ids], np.uint64)
    chosen = digests % SHARE == 0
    members: dict[Any, list[int]] = defaultdict(list)
    for index, name in enumerate(classes if classes is not None else [''] * len(ids)):
        members[name].append(index)
    for indices in members.values():
        _balance(chosen, digests, np.array(indices), MIN_CLASS)
    if len(ids) > 1 and not chosen.any():
        spare = [index for indices in members.values() if len(indices) > 1 for index in indices]
        _balance(chosen, digests, np.array(spare or range(len(ids))), 2)
    return chosen


def digest(identity: str) -> int:
    """Returns the first 8 bytes of the sha256 of an id."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], 'big')


def _balance(chosen: np.ndarray, digests: np.ndarray, indices: np.ndarray, minimum: int) -> None:
    """Keeps one of these examples for training, and draws one if there are at least `minimum`."""
    by_digest = indices[np.argsort(digests[indices], kind='stable')]
    if chosen[indices].all():
        chosen[by_digest[-1]] = False
    if len(indices) >= minimum and not chosen[indices].any():
        chosen[by_digest[0]] = True
