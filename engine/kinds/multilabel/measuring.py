"""The metrics of multi-label classification, of all examples and of resamples."""

import warnings
from collections.abc import Mapping

import numpy as np
from scipy import sparse

from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.classification.class_scores import Totals, of_classes
from engine.kinds.multilabel.label_sets import LabelSets
from engine.kinds.multilabel.ranked_labels import RankedLabels, orders

# Ranking more labels together takes too much memory, resampling more takes minutes.
MAX_POOLED_LABELS, MAX_RESAMPLED_LABELS = 2**26, 2**34
Values = dict[str, np.ndarray]


def measure(
    sets: LabelSets, per_example: Mapping[str, np.ndarray], bootstrap: Bootstrap
) -> tuple[Values, Values]:
    """Returns all metrics by name, f64 [1] each, and on the resamples, f64 [resamples]; NaN where undefined.

    `ap`, `roc_auc` and `f1` are those of the classes, [1, classes] and [resamples, classes].

    Args:
      sets: probabilities and labels.
      per_example: as `of_examples` returns it.
      bootstrap: the bootstrap of the intervals. The rankings of very many labels get none.
    """
    n, classes = sets.known.shape
    features = _features(sets, per_example)
    ranked = RankedLabels.of(sets, pool=sets.known.size <= MAX_POOLED_LABELS)
    values = _metrics({name: matrix.sum(axis=0)[np.newaxis] for name, matrix in features.items()})
    values |= _means(ranked.scores([np.ones((1, n), int)]))
    resamples = _metrics(bootstrap.sums(features, n))
    if n * classes * bootstrap.resamples <= MAX_RESAMPLED_LABELS:
        resamples |= _means(ranked.scores(bootstrap.blocks(n)))
    return values, resamples


def of_examples(sets: LabelSets) -> Values:
    """Returns the scores of each example, f64 [n]; NaN for an example without known labels."""
    known = sets.known.sum(axis=1)
    hits, true, predicted = (array.sum(axis=1) for array in (sets.hits, sets.positive, sets.predicted))
    wrong, either = true + predicted - 2 * hits, true + predicted
    scores = {
        'samples_f1': np.where(either > 0, 2 * hits / np.maximum(either, 1), 1.0),
        'exact_match': wrong == 0,
        'wrong': wrong,
        'log_loss': sets.losses.sum(axis=1) / np.maximum(known, 1),
        **orders(sets),
    }
    return {name: np.where(known > 0, values, np.nan) for name, values in scores.items()}


_MEANS = ('samples_f1', 'exact_match', 'ranking_loss', 'coverage_error')


def _features(sets: LabelSets, per_example: Mapping[str, np.ndarray]) -> dict[str, sparse.csr_array]:
    """Returns numbers of each example whose sums give the metrics, f64 [n, any]."""
    of_labels = {'hits': sets.hits, 'support': sets.positive, 'predicted': sets.predicted}
    known = sets.known.sum(axis=1)
    columns = [np.nan_to_num(per_example[name]) for name in _MEANS]
    columns += [known > 0, np.nan_to_num(per_example['wrong']), sets.losses.sum(axis=1), known]
    features = {name: sparse.csr_array(array, dtype=np.float64) for name, array in of_labels.items()}
    return features | {'sums': sparse.csr_array(np.stack(columns, axis=1), dtype=np.float64)}


def _metrics(sums: Mapping[str, np.ndarray]) -> Values:
    """Returns the metrics from sums of the features, each [resamples, any]."""
    total = Totals(sums['hits'], sums['support'], sums['predicted'])
    scores = of_classes(total)
    hits, support, predicted = (each.sum(axis=-1) for each in total)
    *means, examples, wrong, losses, known = sums['sums'].T
    values = {name: _ratio(mean, examples) for name, mean in zip(_MEANS, means, strict=True)}
    values |= {'hamming_loss': _ratio(wrong, known), 'log_loss': _ratio(losses, known)}
    values |= {f'macro_{name}': nan_mean(scores[name]) for name in ('precision', 'recall', 'f1')}
    anything = np.where(support + predicted > 0, 1.0, np.nan)
    values['micro_precision'] = hits / np.maximum(predicted, 1) * anything
    values['micro_recall'] = hits / np.maximum(support, 1) * anything
    values['micro_f1'] = _ratio(2 * hits, support + predicted)
    return values | {'f1': scores['f1']}


def _means(ranked: Values) -> Values:
    return ranked | {'mean_ap': nan_mean(ranked['ap']), 'macro_roc_auc': nan_mean(ranked['roc_auc'])}


def _ratio(numbers: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns quotients; NaN where the count is 0."""
    return numbers / np.where(counts > 0, counts, np.nan)


def nan_mean(scores: np.ndarray) -> np.ndarray:
    """Returns the mean over the classes, f64 [...], of scores [..., classes]; NaN if none is known."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # of rows of NaN
        return np.nanmean(scores, axis=-1)
