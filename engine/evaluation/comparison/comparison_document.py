"""A comparison for programs: the numbers behind the table, by method."""

import math
from collections.abc import Sequence
from typing import Any

from engine.evaluation.comparison.columns import common_metrics, differing_parameters
from engine.evaluation.comparison.methods import Method
from engine.evaluation.comparison.rank import Rank


def document(methods: Sequence[Method], ranks: Sequence[Rank], metric: str) -> dict[str, Any]:
    """Returns the comparison as mappings, sequences, texts and numbers.

    Args:
      methods: evaluated on the same examples, the best first.
      ranks: how each method compares with the best.
      metric: name of the metric that ranks the methods.

    Returns:
      `metric`, its `direction` ('higher' or 'lower'), the number of `examples`, and `methods`: for each its
      name, folders, seeds, commits, differing parameters, metrics with their intervals and standard
      deviations, and its paired difference from the best.
    """
    report, parameters = methods[0].reports[0], differing_parameters(methods)
    names = common_metrics(methods)
    return {
        'metric': metric,
        'direction': report.metrics[metric].definition.direction,
        'confidence': report.bootstrap.confidence,
        'examples': len(report.outputs.ids),
        'folds': len(methods[0].folds) or None,
        'methods': [
            {
                **_origin(method),
                'parameters': {name: values[place] or None for name, values in parameters.items()},
                'metrics': {name: _metric(method, name) for name in names},
                **_rank(rank),
            }
            for place, (method, rank) in enumerate(zip(methods, ranks, strict=True))
        ],
    }


def _origin(method: Method) -> dict[str, Any]:
    return {
        'name': method.name,
        'outputs': [source.outputs.folder for source in method.inputs],
        'seeds': [*dict.fromkeys(source.seed for source in method.inputs if source.seed)],
        'commits': [*dict.fromkeys(name for source in method.inputs for name in source.commits)],
    }


def _metric(method: Method, name: str) -> dict[str, Any]:
    metric = method.metric(name)
    return {
        'value': metric.value,
        'interval': metric.interval,
        'standard_deviation': method.deviation(name),
        'unit': metric.definition.unit,
        'direction': metric.definition.direction,
    }


def _rank(rank: Rank) -> dict[str, Any]:
    difference = rank.difference
    return {
        'mark': rank.mark or None,
        'difference': difference and {'value': difference.value, 'interval': difference.interval},
        'p': None if math.isnan(rank.p) else rank.p,
        'p_mcnemar': rank.mcnemar,
    }
