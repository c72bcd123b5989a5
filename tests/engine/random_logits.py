"""Random logits and labels, better than chance."""

import numpy as np


def random_logits(
    seed: int, examples: int = 60, classes: int = 4, missing: tuple[int, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Returns logits, better than chance, and labels, among which the classes `missing` do not occur."""
    random = np.random.default_rng(seed)
    labels = random.choice(np.setdiff1d(np.arange(classes), missing), size=examples)
    logits = random.normal(size=(examples, classes)) + np.eye(classes)[labels]
    return logits.astype(np.float32), labels.astype(np.int32)
