"""How embeddings fill their space: alignment, uniformity, effective rank."""

import numpy as np

MAX_PAIRED = 4096  # examples whose pairs give the uniformity, evenly spaced


def alignment(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Returns the mean squared distance of two different vectors of one class; NaN if no class has two.

    Args:
      vectors: of length 1, f64 [n, d].
      labels: int [n].

    Source: Wang and Isola 2020, https://arxiv.org/abs/2005.10242, with pairs of one class as positive pairs.
    """
    order = np.argsort(labels, kind='stable')
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels[order[0]] - 1))
    counts = np.diff(np.append(starts, len(labels)))
    sums = np.add.reduceat(vectors[order], starts, axis=0)
    squares = np.add.reduceat(np.square(vectors[order]).sum(axis=1), starts)
    # The squared distances of all pairs i < j of m vectors sum to m times their squares less the squared sum.
    distances = np.maximum(counts * squares - np.square(sums).sum(axis=1), 0)
    pairs = int((counts * (counts - 1)).sum() // 2)
    return float(distances.sum() / pairs) if pairs else np.nan


def uniformity(vectors: np.ndarray) -> float:
    """Returns the logarithm of the mean of exp(-2 d²) over pairs of vectors: at most 0, lower if uniform.

    Of more than `MAX_PAIRED` vectors of length 1, f64 [n, d], evenly spaced ones are taken.

    Source: Wang and Isola 2020, https://arxiv.org/abs/2005.10242.
    """
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), MAX_PAIRED)).round().astype(int))
    some = vectors[rows]
    squares = np.square(some).sum(axis=1)
    distances = np.maximum(squares[:, np.newaxis] + squares - 2 * some @ some.T, 0)
    n = len(some)
    total = (np.exp(-2 * distances).sum() - n) / (n * (n - 1))
    return min(float(np.log(total)), 0.0)


def effective_rank(embeddings: np.ndarray) -> float:
    """Returns the exponential of the entropy of the normalised singular values; NaN if all are 0.

    Args:
      embeddings: [n, d].

    Source: Roy and Vetterli, The Effective Rank: a Measure of Effective Dimensionality, EUSIPCO 2007.
    """
    largest = float(np.abs(embeddings).max()) or 1.0
    values = np.linalg.svd(np.asarray(embeddings, np.float64) / largest, compute_uv=False)
    total = values.sum()
    if not total:
        return np.nan
    shares = values[values > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))
