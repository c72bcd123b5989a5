"""Methods, the best first, and whether the others differ from it significantly."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.errors import UserError, did_you_mean
from engine.evaluation.comparison import paired
from engine.evaluation.comparison.methods import Method, differing_conditions
from engine.evaluation.comparison.rank import SIGNIFICANCE_LEVEL, Rank
from engine.evaluation.results.metric import Metric
from engine.render.table import BEST, TIED


def ordered(methods: Sequence[Method], metric: str) -> list[Method]:
    """Returns the methods by a metric, the best first.

    Raises:
      UserError: a method lacks the metric, or the metric has no better direction.
    """
    metrics = methods[0].reports[0].metrics
    # Outputs without class names may have fewer classes than others, and then no top-5 accuracy.
    if not all(metric in report.metrics for method in methods for report in method.evaluations):
        raise UserError(
            f'--metric={metric}: some of these outputs lack this metric. {did_you_mean(metric, metrics)}'
        )
    direction = metrics[metric].definition.direction
    if not direction:
        raise UserError(
            f'--metric={metric} cannot rank methods: neither high nor low is better. Choose another one.'
        )
    sign = -1 if direction == 'higher' else 1
    values = {id(method): method.metric(metric).value for method in methods}  # NaN, undefined, is last
    return sorted(methods, key=lambda method: (math.isnan(values[id(method)]), sign * values[id(method)]))


def ranking(methods: Sequence[Method], metric: str) -> list[Rank]:
    """Compares each method with the best, example by example, or fold by fold.

    Args:
      methods: evaluated on the same examples, the best first.
      metric: name of the metric.

    Returns:
      One rank per method. It has no tests and no mark if the metric is not comparable.
    """
    best, *others = methods
    resampled = all(metric in report.resamples for method in methods for report in method.reports)
    comparable = metric not in differing_conditions(methods)
    if not others or not comparable or not (resampled or best.folds):
        return [Rank()] * len(methods)
    if best.folds:
        return _marked(_by_folds(best, others, metric))
    examples = len(best.inputs[0].outputs.ids)
    ps = paired.holm(
        [paired.bootstrap_p(method.resamples(metric) - best.resamples(metric), examples) for method in others]
    )
    ranks = [
        Rank(_difference(best, method, metric), p, exact)
        for method, p, exact in zip(others, ps, _mcnemar(best, others, metric), strict=True)
    ]
    return _marked(ranks)


def _marked(others: Sequence[Rank]) -> list[Rank]:
    """Returns the ranks of the best and of the others, with marks."""
    ranks = [replace(rank, mark=_mark(rank.p, rank.mcnemar)) for rank in others]
    alone = not any(rank.mark for rank in ranks)
    return [Rank(mark=BEST if alone else TIED), *ranks]


def _by_folds(best: Method, others: Sequence[Method], metric: str) -> list[Rank]:
    """Compares other methods with the best by the differences on each fold. They have no mark yet."""
    ratio, bootstrap = best.test_over_train, best.reports[0].bootstrap
    definition = best.reports[0].metrics[metric].definition
    differences = [method.values(metric) - best.values(metric) for method in others]
    ps = [paired.corrected_resampled_p(values, ratio) for values in differences]
    known = iter(paired.holm([p for p in ps if not math.isnan(p)]))
    return [
        Rank(
            Metric(
                float(np.mean(values)),
                paired.corrected_resampled_interval(values, ratio, bootstrap.confidence),
                definition,
            ),
            p if math.isnan(p) else next(known),
        )
        for values, p in zip(differences, ps, strict=True)
    ]


def _difference(best: Method, method: Method, metric: str) -> Metric:
    value = method.metric(metric).value - best.metric(metric).value
    report = best.reports[0]
    differences = method.resamples(metric) - best.resamples(metric)
    return report.bootstrap.metric(value, differences, report.metrics[metric].definition)


def _mcnemar(best: Method, others: Sequence[Method], metric: str) -> list[float | None]:
    """Returns corrected p-values if examples are right or wrong and each method is a single run."""
    reports = [method.reports[0] for method in (best, *others)]
    single = all(len(method.reports) == 1 for method in (best, *others))
    if not single or any(metric not in report.right for report in reports):
        return [None] * len(others)
    right = [report.right[metric] for report in reports]
    return list(paired.holm([paired.mcnemar_p(right[0], other) for other in right[1:]]))


def _mark(p: float, exact: float | None) -> str:
    return TIED if max(p, exact or 0) >= SIGNIFICANCE_LEVEL else ''
