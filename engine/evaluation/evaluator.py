"""The evaluator: from an outputs folder to numbers with intervals, tables and figures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from engine.errors import UserError, did_you_mean
from engine.evaluation import user_metrics
from engine.evaluation.results import report_files
from engine.evaluation.results.bootstrap import Bootstrap
from engine.evaluation.results.report import Report
from engine.kinds.classification.evaluate import Classification
from engine.kinds.detection.evaluate import Detection
from engine.kinds.generation.evaluate import Generation
from engine.kinds.image.evaluate import Image
from engine.kinds.language.evaluate import Language
from engine.kinds.regression.evaluate import Regression
from engine.kinds.segmentation.evaluate import Segmentation
from engine.outputs import outputs


class KindEvaluator(Protocol):
    """What evaluates outputs of one kind."""

    def report(self, found: outputs.Outputs, bootstrap: Bootstrap) -> Report:
        """Returns all that is said about `found`."""
        ...


@dataclass(frozen=True)
class Evaluator:
    """Evaluates outputs folders.

    Attributes:
      resamples: number of bootstrap resamples, at least 100.
      confidence: share of the resamples that an interval covers, between 0 and 1.
      seed: of the resamples.
      calibration_bins: number of bins of the calibration error.
      top_k: for which k top-k accuracy is told, where there are more classes.
      metrics: functions that are told as metrics too; docs/metrics.md says what they take and return.
      only: names of the metrics that are told, in this order; all of them if empty.
    """

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0
    calibration_bins: int = 15
    top_k: tuple[int, ...] = (5,)
    metrics: Sequence[Callable[..., Any]] = ()
    only: tuple[str, ...] = ()

    def __post_init__(self):
        _require(self.resamples >= 100, 'resamples', self.resamples, 'at least 100')
        _require(0 < self.confidence < 1, 'confidence', self.confidence, 'between 0 and 1')
        _require(self.seed >= 0, 'seed', self.seed, 'at least 0')
        _require(self.calibration_bins >= 1, 'calibration_bins', self.calibration_bins, 'at least 1')
        _require(all(k >= 1 for k in self.top_k), 'top_k', self.top_k, 'at least 1 each')
        user_metrics.check(self.metrics)

    def kinds(self) -> Mapping[str, KindEvaluator]:
        """Returns what evaluates each kind of outputs. A new kind is a new module and a line here."""
        return {
            'classification': Classification(self.top_k, self.calibration_bins),
            'detection': Detection(),
            'generation': Generation(),
            'image': Image(),
            'language': Language(),
            'regression': Regression(),
            'segmentation': Segmentation(),
        }

    def report(self, folder: str | Path) -> Report:
        """Reads and verifies an outputs folder and evaluates it; writes nothing.

        Raises:
          UserError: the outputs are unfinished, damaged or not to be evaluated; says which and why.
        """
        return self.report_on(outputs.read(folder))

    def report_on(self, found: outputs.Outputs) -> Report:
        """Evaluates outputs that were read; writes nothing.

        Raises:
          UserError: the outputs are not to be evaluated; says why.
        """
        kinds = self.kinds()
        if found.kind not in kinds:
            raise UserError(
                f'{found.folder}: no evaluation for outputs of kind {found.kind!r} yet. '
                f'{did_you_mean(found.kind, kinds)} Add one in engine/evaluation/evaluator.py.'
            )
        report = kinds[found.kind].report(found, Bootstrap(self.resamples, self.confidence, self.seed))
        return self._chosen(user_metrics.add(report, self.metrics))

    def evaluate(
        self, folder: str | Path, output: str | Path | None = None, overwrite: bool = False
    ) -> dict[str, Any]:
        """Evaluates an outputs folder and writes what was found.

        Args:
          folder: the outputs.
          output: where to write; `evaluation/` in the outputs folder by default.
          overwrite: whether an earlier evaluation there is replaced.

        Returns:
          The content of metrics.json.

        Raises:
          UserError: as `report`, or an evaluation exists and may not be replaced.
        """
        report = self.report(folder)
        report_files.write(report, Path(output) if output else Path(folder) / 'evaluation', overwrite)
        return report.as_json()

    def _chosen(self, report: Report) -> Report:
        """Returns a report that tells the metrics of `only` alone."""
        if not self.only:
            return report
        for name in self.only:
            if name not in report.metrics:
                raise UserError(
                    f'Evaluator.only: {report.outputs.kind} has no metric {name!r}. '
                    f'{did_you_mean(name, report.metrics)}'
                )
        chosen = {name: report.metrics[name] for name in self.only}
        return replace(report, metrics=chosen, headline=self.only)


def _require(holds: bool, name: str, value: object, what: str) -> None:
    if not holds:
        raise UserError(f'Evaluator.{name} = {value!r}: it must be {what}.')
