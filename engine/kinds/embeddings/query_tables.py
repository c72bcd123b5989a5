"""Scores of queries as tables: of each class, and of each example."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.classification.class_scores import indicator
from engine.kinds.embeddings.retrieval import Embedded, Retrieval
from engine.outputs.outputs import Outputs

MAX_CLASSES = 1000  # of which each has an interval
_OF_CLASSES = {
    'map@r': 'map_at_r',
    'recall@1': 'recall_at_1',
    'knn': 'knn_accuracy',
    'linear_probe': 'linear_probe',
}


def mean(scores: np.ndarray) -> float:
    """Returns the mean of the known scores; NaN if none is known."""
    known = ~np.isnan(scores)
    return float(scores[known].mean()) if known.any() else np.nan


def means(scores: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Returns the mean of the known scores on each resample, f64 [resamples]."""
    columns = np.stack([np.nan_to_num(scores), ~np.isnan(scores)], axis=1)
    sums = bootstrap.sums({'scores': sparse.csr_array(columns)}, len(scores))['scores']
    return sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], np.nan)


def classes(embedded: Embedded) -> tuple[np.ndarray, list[str]]:
    """Returns the index of each example's class among those that occur, int [n], and their names."""
    _, first, indices = np.unique(embedded.labels, return_index=True, return_inverse=True)
    return indices, [embedded.names[row] for row in first.tolist()]


def tables(
    outputs: Outputs,
    embedded: Embedded,
    found: Retrieval,
    scores: Mapping[str, np.ndarray],
    bootstrap: Bootstrap,
) -> dict[str, pd.DataFrame]:
    """Returns `per_example` and, with labels, `per_class`."""
    result = {'per_example': _per_example(outputs, embedded, found, scores)}
    if embedded.labels is None:
        return result
    return {'per_class': _per_class(embedded, scores, bootstrap), **result}


def _per_class(embedded: Embedded, scores: Mapping[str, np.ndarray], bootstrap: Bootstrap) -> pd.DataFrame:
    """Returns a row per class: MAP@R with its interval, other scores, queries and examples."""
    indices, names = classes(embedded)
    count, n = len(names), len(indices)
    columns = {
        column: _class_means(scores[name], indices, count)
        for column, name in _OF_CLASSES.items()
        if name in scores
    }
    known = ~np.isnan(scores['map_at_r'])
    low = high = np.full(count, np.nan)
    if count <= MAX_CLASSES:
        parts = {'sum': np.nan_to_num(scores['map_at_r']), 'known': known}
        sums = bootstrap.sums({name: indicator(indices, count, part) for name, part in parts.items()}, n)
        low, high = bootstrap.interval(sums['sum'] / np.where(sums['known'] > 0, sums['known'], np.nan))
    first = {'map@r': columns.pop('map@r'), 'map@r_low': low, 'map@r_high': high}
    support = np.bincount(indices, known, count).astype(int)
    counts = {'support': support, 'examples': np.bincount(indices, minlength=count)}
    return pd.DataFrame({**first, **columns, **counts}, pd.Index(names, name='class'))


def _class_means(scores: np.ndarray, indices: np.ndarray, count: int) -> np.ndarray:
    known = ~np.isnan(scores)
    numbers = np.bincount(indices, known, count)
    return np.bincount(indices, np.nan_to_num(scores), count) / np.where(numbers > 0, numbers, np.nan)


def _per_example(
    outputs: Outputs, embedded: Embedded, found: Retrieval, scores: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Returns a row per example, the worst query first: its nearest neighbour and its scores."""
    table = pd.DataFrame(index=pd.Index(outputs.ids, name='id'))
    nearest = np.full(len(outputs.ids), -1)
    nearest[embedded.queries] = found.nearest
    table['nearest'] = [outputs.ids[row] if row >= 0 else '' for row in nearest.tolist()]
    closeness = embedded.spread_out(found.closeness)
    closer = 'similarity' if embedded.space.distance == 'cosine' else 'distance'
    table[closer] = embedded.space.measured(closeness)
    if embedded.labels is None:
        return table.iloc[np.argsort(closeness, kind='stable')]
    names = embedded.names
    table.insert(0, 'label', list(names))
    table.insert(2, 'nearest_label', [names[row] if row >= 0 else '' for row in nearest.tolist()])
    table['recall@1'], table['map@r'] = scores.get('recall_at_1', np.nan), scores['map_at_r']
    table['knn'], table['linear_probe'] = scores['knn_accuracy'], scores['linear_probe']
    # Among the worst, those first whose wrong neighbour is the closest; the gallery comes last.
    return table.iloc[np.lexsort((-closeness, scores['map_at_r']))]
