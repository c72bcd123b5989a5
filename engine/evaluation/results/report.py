"""The result of an evaluation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.metric import Metric, not_defined
from engine.outputs.outputs import Outputs
from engine.render import names
from engine.render.table import Cell, Table

FORMAT, VERSION = 'evaluation', 1


@dataclass(frozen=True)
class Report:
    """The evaluation of one outputs folder.

    Attributes:
      outputs: the outputs.
      bootstrap: the bootstrap behind the intervals.
      metrics: metrics by name, the most important first.
      headline: names of the few metrics by which outputs are compared.
      tables: tables by name, saved as `<name>.csv`. `per_example` always exists: a row per example, named by
        its id, the worst first.
      figures: functions that draw figures, by name, saved in `figures/` as `<name>.svg`, `.pdf` and `.png`.
      resamples: values of a metric on each resample, f64 [resamples], by name. Only metrics that compare
        methods example by example have them. Reports with the same bootstrap and number of examples share
        the resamples.
      right: whether each example is right, bool [n], by name of the metric that is the share of right ones.
      conditions: for metrics that depend on how the outputs were saved, a sentence on how they were computed.
        A comparison does not test a metric between reports with different conditions.
      notes: sentences on what was left out, beside the notes of the metrics.
      config: the evaluator's operative Gin config; '' without one.
    """

    outputs: Outputs
    bootstrap: Bootstrap
    metrics: Mapping[str, Metric]
    headline: Sequence[str]
    tables: Mapping[str, pd.DataFrame]
    figures: Mapping[str, Callable[[], Figure]]
    resamples: Mapping[str, np.ndarray] = field(default_factory=dict)
    right: Mapping[str, np.ndarray] = field(default_factory=dict)
    conditions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    config: str = ''

    @property
    def footnotes(self) -> list[str]:
        """Sentences on metrics that are not defined or left out, one for each reason."""
        metrics = self.metrics.values()
        undefined: dict[str, list[str]] = {}
        for metric in metrics:
            if math.isnan(metric.value):
                undefined.setdefault(metric.definition.undefined, []).append(metric.definition.title)
        return [
            *self.notes,
            *(not_defined(titles, reason) for reason, titles in undefined.items()),
            *(metric.note for metric in metrics if metric.note and not math.isnan(metric.value)),
        ]

    def as_json(self) -> dict[str, Any]:
        """Returns the content of metrics.json."""
        manifest = self.outputs.manifest
        return {
            'format': FORMAT,
            'version': VERSION,
            'kind': manifest.kind,
            'project': manifest.project,
            'run': manifest.run,
            'step': manifest.step,
            'checkpoint': manifest.checkpoint,
            'dataset': manifest.dataset,
            'dataset_fingerprint': manifest.dataset_fingerprint,
            'split': manifest.split,
            'examples': len(self.outputs.ids),
            'details': dict(manifest.details),
            'files': {name: asdict(entry) for name, entry in manifest.files.items()},
            'external_labels': self.outputs.external_labels,
            'config': self.config,
            'bootstrap': asdict(self.bootstrap),
            'metrics': {name: metric.as_json() for name, metric in self.metrics.items()},
        }

    def title(self) -> str:
        """Returns kind, dataset, split, number of examples and run in one line."""
        manifest, examples = self.outputs.manifest, len(self.outputs.ids)
        of = names.outputs(manifest.kind, manifest.dataset, manifest.split)
        parts = [of, f'{examples:,} examples', manifest.project, manifest.run, manifest.saved_step]
        return ', '.join(part for part in parts if part)

    def groups(self) -> dict[str, list[Metric]]:
        """Returns the metrics by heading: first '', with the main ones and the headline."""
        groups: dict[str, list[Metric]] = {'': []}
        for name, metric in self.metrics.items():
            heading = '' if name in self.headline else metric.definition.group
            groups.setdefault(heading, []).append(metric)
        return {heading: metrics for heading, metrics in groups.items() if metrics}

    def metric_tables(self) -> dict[str, Table]:
        """Returns a table per heading of `groups`: title, value, interval, which direction is better."""
        titles = ['metric', 'value', f'{self.bootstrap.percent} interval', 'better']
        return {heading: Table.of(titles, map(_row, metrics)) for heading, metrics in self.groups().items()}


def _row(metric: Metric) -> list[object]:
    value, definition = Cell(metric.value, metric.shown()), metric.definition
    return [definition.title, value, metric.shown_interval(), definition.direction]


def comparison(names: Sequence[str], reports: Sequence[Report]) -> Table:
    """Returns a table with a row per report: name, number of examples and headline metrics.

    Args:
      names: the name of each report.
      reports: the reports. A cell is empty if the report lacks the metric.
    """
    titles = {name: report.metrics[name].definition.title for report in reports for name in report.headline}
    rows = [
        [name, len(report.outputs.ids), *(_compared(report.metrics.get(metric)) for metric in titles)]
        for name, report in zip(names, reports, strict=True)
    ]
    return Table.of(['outputs', 'examples', *titles.values()], rows)


def _compared(metric: Metric | None) -> Cell:
    return Cell(metric.value, f'{metric.shown()} ({metric.shown_interval()})') if metric else Cell(None)
