"""What an evaluation found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from engine.evaluation.labels.external_labels import Labelled
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric
from engine.outputs.outputs import Outputs

FORMAT, VERSION = 'evaluation', 1


@dataclass(frozen=True)
class Report:
    """What was found about one outputs folder.

    Attributes:
      outputs: what was evaluated.
      bootstrap: how the intervals were made.
      metrics: name to metric, the most telling first.
      headline: names of the few metrics by which outputs are compared.
      tables: name to table, written as `<name>.csv`. `per_example` is always there: a row per example by its
        id, the worst first.
      figures: name to what draws it, written as `figures/<name>.png`.
      resamples: name to metric on each resample, f64 [resamples]: the same resamples in each report on
        as many examples with the same bootstrap. Only of metrics that compare methods example by example.
      right: name to whether each example counts as right, bool [n], of the metrics that are shares of these.
      config: what the evaluator was bound to, as a Gin config; '' where nothing was.
    """

    outputs: Outputs
    bootstrap: Bootstrap
    metrics: Mapping[str, Metric]
    headline: Sequence[str]
    tables: Mapping[str, pd.DataFrame]
    figures: Mapping[str, Callable[[], Figure]]
    resamples: Mapping[str, np.ndarray] = field(default_factory=dict)
    right: Mapping[str, np.ndarray] = field(default_factory=dict)
    config: str = ''

    def as_json(self) -> dict[str, Any]:
        """Returns the content of metrics.json."""
        return {
            'format': FORMAT,
            'version': VERSION,
            'kind': self.outputs.kind,
            'project': self.outputs.project,
            'run': self.outputs.run,
            'step': self.outputs.step,
            'dataset': self.outputs.dataset,
            'split': self.outputs.split,
            'examples': len(self.outputs.ids),
            'details': self.outputs.manifest['details'],
            'files': self.outputs.manifest['files'],
            'labels': self.outputs.labels if isinstance(self.outputs, Labelled) else None,
            'config': self.config,
            'bootstrap': asdict(self.bootstrap),
            'metrics': {name: metric.as_json() for name, metric in self.metrics.items()},
        }

    def title(self) -> str:
        """Returns what was evaluated, in one line."""
        found = self.outputs
        parts = [found.dataset, found.split, f'{len(found.ids)} examples', found.project, found.run]
        parts.append('' if found.step is None else f'step {found.step}')
        return ', '.join(part for part in parts if part)

    def rows(self) -> list[list[str]]:
        """Returns the table of all metrics: name, value, interval, which is better."""
        return [
            ['metric', 'value', f'{self.bootstrap.percent} interval', 'better'],
            *(
                [
                    metric.definition.title,
                    metric.shown(),
                    metric.shown_interval(),
                    metric.definition.direction,
                ]
                for metric in self.metrics.values()
            ),
        ]


def comparison(names: Sequence[str], reports: Sequence[Report]) -> list[list[str]]:
    """Returns a table with a row per report: its name, number of examples and headline metrics.

    Args:
      names: what to call each report.
      reports: what to compare. Where one has no such metric, its cell is empty.
    """
    columns = {name: report.metrics[name].definition.title for report in reports for name in report.headline}
    rows = [['outputs', 'examples', *columns.values()]]
    for name, report in zip(names, reports, strict=True):
        cells = [_compared(report.metrics.get(column)) for column in columns]
        rows.append([name, str(len(report.outputs.ids)), *cells])
    return rows


def _compared(metric: Metric | None) -> str:
    return f'{metric.shown()} ({metric.shown_interval()})' if metric else ''
