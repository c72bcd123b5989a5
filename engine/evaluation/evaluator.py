"""The evaluator: from an outputs folder to metrics with intervals, tables and figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import UserError, did_you_mean
from engine.evaluation import kind_evaluation, user_metrics
from engine.evaluation.kind_evaluation import KindEvaluation
from engine.evaluation.results import report_files
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.report import Report
from engine.outputs.outputs import Outputs
from engine.outputs.reading import read
from engine.render.figures.rendered import FORMATS

MIN_RESAMPLES = 100


@dataclass(frozen=True)
class Evaluator:
    """Evaluates outputs folders.

    Attributes:
      resamples: number of bootstrap resamples, at least 100.
      confidence: share of the resamples that an interval covers, between 0 and 1.
      seed: of the resamples.
      kinds: evaluations of kinds with settings of their own, such as
        `[@evaluate.ClassificationEvaluation()]`; other kinds are evaluated with default settings.
      metrics: functions whose results are reported as metrics too; docs/metrics.md says what they take and
        return.
      figure_formats: suffixes of the files of figures, of svg, pdf and png; no files if empty. The page shows
        the figures in any case.
      only: names of the metrics to report, in this order; all of them if empty.
    """

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0
    kinds: Sequence[KindEvaluation] = ()
    metrics: Sequence[Callable[..., Any]] = ()
    figure_formats: tuple[str, ...] = FORMATS
    only: tuple[str, ...] = ()

    def __post_init__(self):
        _require(self.resamples >= MIN_RESAMPLES, 'resamples', self.resamples, f'at least {MIN_RESAMPLES}')
        _require(0 < self.confidence < 1, 'confidence', self.confidence, 'between 0 and 1')
        _require(self.seed >= 0, 'seed', self.seed, 'at least 0')
        _require(
            set(self.figure_formats) <= set(FORMATS),
            'figure_formats',
            self.figure_formats,
            'of svg, pdf, png',
        )
        user_metrics.check(self.metrics)

    def report(self, folder: str | Path) -> Report:
        """Reads and verifies an outputs folder and evaluates it; writes nothing.

        Raises:
          UserError: the outputs are unfinished, damaged or cannot be evaluated; says which and why.
        """
        return self.report_on(read(folder))

    def report_on(self, outputs: Outputs) -> Report:
        """Evaluates outputs that were read; writes nothing.

        Raises:
          UserError: the outputs cannot be evaluated; says why.
        """
        bound = {evaluation.kind: evaluation for evaluation in self.kinds}
        evaluation = bound.get(outputs.kind) or kind_evaluation.load(outputs.kind)
        report = evaluation.report(outputs, Bootstrap(self.resamples, self.confidence, self.seed))
        return self._select(user_metrics.add(report, self.metrics))

    def evaluate(
        self, folder: str | Path, output: str | Path | None = None, overwrite: bool = False
    ) -> dict[str, Any]:
        """Evaluates an outputs folder and writes the report.

        >>> import tempfile
        >>> import numpy as np
        >>> from engine import outputs
        >>> arrays = {name: np.array([[1], [2], [4]], np.float32) for name in ('values', 'targets')}
        >>> folder = Path(tempfile.mkdtemp()) / 'test'
        >>> manifest = outputs.Manifest('regression')
        >>> outputs.write(folder, manifest, arrays, ['a', 'b', 'c'], dict.fromkeys(arrays, 'metres'))
        >>> Evaluator(resamples=100).evaluate(folder)['metrics']['rmse']['value']
        0.0

        Args:
          folder: the outputs folder.
          output: the folder to write; `evaluation/` in the outputs folder by default.
          overwrite: whether to replace an earlier evaluation there.

        Returns:
          The content of metrics.json.

        Raises:
          UserError: as `report`, or an evaluation exists and may not be replaced.
        """
        report = self.report(folder)
        target = Path(output) if output else Path(folder) / 'evaluation'
        report_files.write(report, target, overwrite, self.figure_formats)
        return report.as_json()

    def _select(self, report: Report) -> Report:
        """Returns a report with the metrics of `only` alone."""
        if not self.only:
            return report
        for name in self.only:
            if name not in report.metrics:
                raise UserError(
                    f'Evaluator.only: {report.outputs.kind} has no metric {name!r}. '
                    f'{did_you_mean(name, report.metrics)}'
                )
        metrics = {name: report.metrics[name] for name in self.only}
        return replace(report, metrics=metrics, headline=self.only)


def _require(holds: bool, name: str, value: object, what: str) -> None:
    if not holds:
        raise UserError(f'Evaluator.{name} = {value!r}: it must be {what}.')
