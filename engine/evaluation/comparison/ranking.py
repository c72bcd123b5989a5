"""How methods stand against the best of them, and whether chance explains it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import UserError, did_you_mean
from engine.evaluation.comparison import paired
from engine.evaluation.comparison.methods import Method, are_alike
from engine.evaluation.results.metric import Metric
from engine.render.table_formats import BEST, TIED

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Rank:
    """How a method stands against the best.

    Attributes:
      difference: its metric minus the best's, with interval; None of the best itself.
      p: of the paired bootstrap, corrected for the number of comparisons.
      mcnemar: p of McNemar's exact test, likewise corrected; None where it does not apply.
      mark: 'best', 'tied' or ''.
    """

    difference: Metric | None = None
    p: float = math.nan
    mcnemar: float | None = None
    mark: str = ''


def ordered(methods: Sequence[Method], name: str) -> list[Method]:
    """Returns the methods by a metric, the best first.

    Raises:
      UserError: there is no such metric, or neither direction of it is better.
    """
    metrics = methods[0].reports[0].metrics
    # Outputs without class names may know other classes, and then fewer have a top-5 accuracy.
    if not all(name in report.metrics for method in methods for report in method.reports):
        raise UserError(
            f'--metric={name}: not all of these outputs have such a metric. {did_you_mean(name, metrics)}'
        )
    direction = metrics[name].definition.direction
    if not direction:
        raise UserError(f'--metric={name}: neither high nor low is better; choose another one.')
    sign = -1 if direction == 'higher' else 1
    return sorted(methods, key=lambda method: sign * method.metric(name).value)


def rank(methods: Sequence[Method], name: str) -> list[Rank]:
    """Compares each method with the best, example by example.

    Args:
      methods: the best first, about the same examples.
      name: of the metric.

    Returns:
      One per method, without tests or marks where the metric does not compare example by example.
    """
    best, *others = methods
    drawn = all(name in report.resamples for method in methods for report in method.reports)
    if not others or not drawn or not are_alike(methods, name):
        return [Rank()] * len(methods)
    examples = len(best.inputs[0].outputs.ids)
    ps = [paired.bootstrap_p(method.resamples(name) - best.resamples(name), examples) for method in others]
    exact = _mcnemar(best, others, name)
    compared = [
        Rank(_difference(best, method, name), p, other, _mark(p, other))
        for method, p, other in zip(others, paired.holm(ps), exact, strict=True)
    ]
    alone = not any(each.mark for each in compared)
    return [Rank(mark=BEST if alone else TIED), *compared]


def _difference(best: Method, method: Method, name: str) -> Metric:
    value = method.metric(name).value - best.metric(name).value
    report = best.reports[0]
    ends = report.bootstrap.interval(method.resamples(name) - best.resamples(name))
    return Metric(value, ends.tolist(), report.metrics[name].definition)


def _mcnemar(best: Method, others: Sequence[Method], name: str) -> list[float | None]:
    """Returns corrected p-values where examples are right or wrong and each method is a single run."""
    reports = [method.reports[0] for method in (best, *others)]
    single = all(len(method.reports) == 1 for method in (best, *others))
    if not single or any(name not in each.right for each in reports):
        return [None] * len(others)
    right = [each.right[name] for each in reports]
    return list(paired.holm([paired.mcnemar_p(right[0], each) for each in right[1:]]))


def _mark(p: float, exact: float | None) -> str:
    return '' if max(p, exact or 0) < SIGNIFICANT else TIED
