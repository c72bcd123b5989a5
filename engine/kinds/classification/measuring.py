"""The metrics of classification, of all examples and of resamples."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from engine.evaluation.results.bootstrap import Bootstrap
from engine.kinds.classification import calibration, class_scores
from engine.kinds.classification.class_predictions import ClassPredictions
from engine.kinds.classification.class_probabilities import probabilities, scores_name
from engine.kinds.classification.ranking_scores import RankedClasses
from engine.outputs.outputs import Outputs

# Sorting more scores takes too much memory, resampling more takes minutes.
MAX_SORTED_SCORES, MAX_RESAMPLED_SCORES = 2**26, 2**34


def measure(
    predicted: ClassPredictions, ranked: RankedClasses | None, tops: Sequence[int], bins: int
) -> dict[str, float]:
    """Returns all metrics of all examples by name; NaN where undefined."""
    values = class_scores.metrics(class_scores.totals(predicted))
    if ranked:
        values |= {
            name: metric[0]
            for name, metric in ranked.metrics([np.ones((1, len(predicted.labels)), int)]).items()
        }
    if predicted.probable:
        gaps = _gaps(predicted.correct, predicted.probable.confidences, bins).sum(axis=0)
        values['calibration_error'] = calibration.expected_calibration_error(gaps, len(predicted.labels))
    values |= {name: column.mean() for name, column in _additive(predicted, tops).items()}
    return {name: float(value) for name, value in values.items()}


def resample(
    predicted: ClassPredictions,
    ranked: RankedClasses | None,
    tops: Sequence[int],
    bins: int,
    bootstrap: Bootstrap,
) -> dict[str, np.ndarray]:
    """Returns all metrics on each resample, f64 [resamples], and `f1`, f64 [resamples, classes].

    Leaves out ROC AUC and average precision if they would take too long.
    """
    additive, examples = _additive(predicted, tops), len(predicted.labels)
    features = class_scores.features(predicted) | {
        name: sparse.csr_array(values[:, np.newaxis], dtype=float) for name, values in additive.items()
    }
    if predicted.probable:
        features['gaps'] = _gaps(predicted.correct, predicted.probable.confidences, bins)
    sums = bootstrap.sums(features, examples)
    total = class_scores.Totals(sums['hits'], sums['support'], sums['predicted'])
    values = class_scores.metrics(total) | {'f1': class_scores.of_classes(total)['f1']}
    values |= {name: sums[name][:, 0] / examples for name in additive}
    if predicted.probable:
        values['calibration_error'] = calibration.expected_calibration_error(sums['gaps'], examples)
    if ranked and examples * len(predicted.class_names) * bootstrap.resamples <= MAX_RESAMPLED_SCORES:
        values |= ranked.metrics(bootstrap.blocks(examples))
    return values


def ranked_classes(outputs: Outputs) -> RankedClasses | None:
    """Sorts the examples by their probabilities; None if there are none, or too many to be sorted."""
    name = scores_name(outputs)
    if not name or outputs.arrays[name].size > MAX_SORTED_SCORES:
        return None
    return RankedClasses.of(probabilities(outputs), outputs.arrays['labels'])


def _additive(predicted: ClassPredictions, tops: Sequence[int]) -> dict[str, np.ndarray]:
    """Returns the metrics that are means over the examples, each [n]."""
    if not predicted.probable:
        return {}
    facts = predicted.probable
    return {'log_loss': facts.log_losses, 'brier_score': facts.brier_scores, **in_top(predicted, tops)}


def in_top(predicted: ClassPredictions, tops: Sequence[int]) -> dict[str, np.ndarray]:
    """Returns whether the label of each example is among the k most probable classes, bool [n]."""
    if not predicted.probable:
        return {}
    return {f'top_{k}_accuracy': predicted.probable.ranks < k for k in tops}


def _gaps(correct: np.ndarray, confidences: np.ndarray, bins: int) -> sparse.csr_array:
    """Returns correctness (0 or 1) minus confidence, f64 [n, bins], in the column of the bin."""
    groups = calibration.bin_of(confidences, bins)
    return class_scores.indicator(groups, bins, correct - confidences)
