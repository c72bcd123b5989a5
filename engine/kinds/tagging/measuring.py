"""Numbers of tokens and spans of each sequence, and the metrics that are functions of their sums."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.classification.class_scores import Totals, of_classes
from engine.kinds.tagging import spans
from engine.kinds.tagging.spans import SpanTags
from engine.kinds.tagging.tagged import Tagged

OUTSIDE = 'O'  # the tag of tokens that belong to nothing
Counts = Mapping[str, sparse.csr_array]


def count(tagged: Tagged, known: SpanTags | None) -> dict[str, sparse.csr_array]:
    """Returns what adds up over sequences, f64 [n, ...].

    Args:
      tagged: the tokens.
      known: what the names of the tags say of spans; None if they say nothing.

    Returns:
      `hits`, `support` and `predicted` tokens of each tag, [n, classes]; `exact`, [n, 2]: whether all tags
      of a sequence are right, and whether it has any; and `span_hits`, `span_support` and `span_predicted`,
      [n, types], if there are spans.
    """
    classes, right = len(tagged.class_names), tagged.targets == tagged.predicted
    numbers = {
        'hits': _by_sequence(tagged, tagged.rows[right], tagged.targets[right], classes),
        'support': _by_sequence(tagged, tagged.rows, tagged.targets, classes),
        'predicted': _by_sequence(tagged, tagged.rows, tagged.predicted, classes),
    }
    tokens, hits = numbers['support'].sum(1), numbers['hits'].sum(1)
    exact = np.stack([(tokens > 0) & (hits == tokens), tokens > 0], 1)
    numbers['exact'] = sparse.csr_array(exact.astype(np.float64))
    return numbers | (_span_counts(tagged, known) if known else {})


def _span_counts(tagged: Tagged, known: SpanTags) -> dict[str, sparse.csr_array]:
    true, predicted = (spans.find(tags, tagged.rows, known) for tags in (tagged.targets, tagged.predicted))
    right = predicted.among(true, len(tagged.rows))
    return {
        name: _by_sequence(tagged, tagged.rows[first], kinds, len(known.types))
        for name, first, kinds in (
            ('span_hits', predicted.first[right], predicted.type[right]),
            ('span_support', true.first, true.type),
            ('span_predicted', predicted.first, predicted.type),
        )
    }


def _by_sequence(tagged: Tagged, rows: np.ndarray, groups: np.ndarray, width: int) -> sparse.csr_array:
    """Returns how often each group occurs in each sequence, f64 [n, width]."""
    ones = np.ones(len(rows))
    return sparse.csr_array(sparse.coo_array((ones, (rows, groups)), shape=(tagged.sequences, width)))


def measure(counts: Counts, tags: np.ndarray) -> dict[str, float]:
    """Returns the metrics of all sequences; NaN for one that is not defined."""
    sums = {name: np.asarray(matrix.sum(0))[np.newaxis] for name, matrix in counts.items()}
    return {name: float(value[0]) for name, value in _metrics(sums, tags).items()}


def resample(counts: Counts, tags: np.ndarray, bootstrap: Bootstrap) -> tuple[dict[str, np.ndarray], Counts]:
    """Returns the metrics on each resample, f64 [resamples], and the sums behind them."""
    sums = bootstrap.sums(counts, counts['hits'].shape[0])  # type: ignore[index] (SciPy's types allow None)
    return _metrics(sums, tags), sums  # type: ignore[return-value]


def counted_tags(tagged: Tagged) -> np.ndarray:
    """Returns the tags that averages count, int [k]: all but O."""
    return np.array([index for index, name in enumerate(tagged.class_names) if name != OUTSIDE], int)


def _metrics(sums: Mapping[str, np.ndarray], tags: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the metrics from sums over sequences, each [k, ...]."""
    total = Totals(*(sums[name][:, tags] for name in ('hits', 'support', 'predicted')))
    metrics = {
        'token_accuracy': _ratio(sums['hits'].sum(-1), sums['support'].sum(-1)),
        'micro_f1': _f1(*total),
        'macro_f1': _mean(of_classes(total)['f1']),
        'exact_match': _ratio(*sums['exact'].T),
    }
    if 'span_hits' not in sums:
        return metrics
    hits, support, predicted = (sums[f'span_{name}'] for name in ('hits', 'support', 'predicted'))
    return {
        **metrics,
        'span_f1': _f1(hits, support, predicted),
        'span_precision': _ratio(hits.sum(-1), predicted.sum(-1)),
        'span_recall': _ratio(hits.sum(-1), support.sum(-1)),
    }


def table(
    sums: Mapping[str, np.ndarray],
    resamples: Mapping[str, np.ndarray],
    bootstrap: Bootstrap,
    prefix: str,
    names: pd.Index,
) -> pd.DataFrame:
    """Returns a row per tag or type of spans: precision, recall, F1 with its interval, and numbers.

    Args:
      sums: over all sequences, f64 [...] by name.
      resamples: sums on each resample.
      bootstrap: of the intervals.
      prefix: of the names in both, '' or 'span_'.
      names: of the rows.
    """
    parts = [f'{prefix}{name}' for name in ('hits', 'support', 'predicted')]
    total, drawn = (Totals(*(each[name] for name in parts)) for each in (sums, resamples))
    low, high = bootstrap.interval(of_classes(drawn)['f1'])
    columns = {**of_classes(total), 'f1_low': low, 'f1_high': high}
    columns |= {'support': total.support.astype(int), 'predicted': total.predicted.astype(int)}
    return pd.DataFrame(columns, names)


def _f1(hits: np.ndarray, support: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return _ratio(2 * hits.sum(-1), support.sum(-1) + predicted.sum(-1))


def _mean(scores: np.ndarray) -> np.ndarray:
    """Returns the mean of the scores [k, tags] that are known; NaN if none is."""
    known = ~np.isnan(scores)
    return _ratio(np.where(known, scores, 0).sum(-1), known.sum(-1))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Returns quotients; NaN where the denominator is 0."""
    return numerator / np.where(denominator > 0, denominator, np.nan)
