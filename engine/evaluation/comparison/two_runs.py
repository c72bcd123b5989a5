"""The outputs of two runs, compared by paired resamples of the same examples."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.evaluation.comparison import comparison_inputs, ranking
from engine.evaluation.comparison.methods import Method
from engine.evaluation.results.report import Report
from engine.outputs.outputs import Outputs


def document(
    one: Path, other: Path, split: str, report_on: Callable[[Outputs], Report], metric: str = ''
) -> dict[str, Any]:
    """Compares two runs by a metric of their outputs.

    Args:
      one: a run folder.
      other: another one.
      split: name of the outputs.
      report_on: evaluates outputs.
      metric: name of the metric; '' takes the first headline metric of the kind of outputs.

    Returns:
      `split`, `metric`, `examples`, `confidence`, the `values` of both runs, and the `difference` of the
      second run minus the first, with its `interval` and p-values; the latter are None if there is no test of
      the metric.

    Raises:
      UserError: a run has no such outputs or no such metric, outputs are damaged, or both are not of the same
        examples.
    """
    inputs = [source for run in (one, other) for source in comparison_inputs.find([run], split)[0][:1]]
    inputs = comparison_inputs.common(inputs, intersect=False)
    comparison_inputs.check_comparable(inputs)
    if inputs[0].part != inputs[1].part:
        raise UserError('The runs are tested on different folds.')
    first, second = (
        Method([source], [report_on(source.outputs)], index) for index, source in enumerate(inputs)
    )
    report = first.reports[0]
    metric = metric or report.headline[0]
    ordered = ranking.ordered([first, second], metric)
    _, rank = ranking.ranking(ordered, metric)
    interval = rank.difference and rank.difference.interval
    if interval and ordered[0] is second:
        interval = [-end for end in reversed(interval)]
    values = [method.metric(metric).value for method in (first, second)]
    return {
        'split': split,
        'metric': metric,
        'examples': len(report.outputs.ids),
        'confidence': report.bootstrap.confidence,
        'values': values,
        'difference': values[1] - values[0],
        'interval': interval,
        'p': None if math.isnan(rank.p) else rank.p,
        'p_mcnemar': rank.mcnemar,
    }
