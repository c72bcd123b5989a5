"""Methods: runs that differ only in their seed are one method, with a mean and a standard deviation.

How far other seeds would move the mean is drawn from Student's t around it, for each method separately. The
test of a difference is then that of Behrens and Fisher.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.errors import UserError
from engine.evaluation.comparison.comparison_inputs import ComparisonInput
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report


@dataclass(frozen=True)
class Method:
    """The outputs of one method, one per seed.

    Attributes:
      inputs: the outputs.
      reports: the evaluation of each.
      index: index of the method; methods with different indices get independent random numbers.
    """

    inputs: Sequence[ComparisonInput]
    reports: Sequence[Report]
    index: int = 0

    @property
    def folder(self) -> Path:
        """The folder of the first outputs."""
        return self.inputs[0].folder

    @property
    def seeds(self) -> str:
        """The seeds as people read them; '' if neither configs nor outputs state any."""
        return ', '.join(filter(None, (source.seed for source in self.inputs)))

    def metric(self, name: str) -> Metric:
        """Returns a metric, the mean over the seeds. Ends of an unknown interval are NaN."""
        first = self.reports[0].metrics[name]
        if len(self.reports) == 1:
            return first
        ends = np.full(2, math.nan)
        if all(name in report.resamples for report in self.reports):
            ends = self.reports[0].bootstrap.interval(self.resamples(name))
        if first.definition.unit == 'fraction':
            ends = np.clip(ends, 0, 1)
        return replace(first, value=float(np.mean(self._values(name))), interval=ends.tolist())

    def deviation(self, name: str) -> float | None:
        """Returns the standard deviation of a metric over the seeds (n - 1); None for a single seed."""
        return float(np.std(self._values(name), ddof=1)) if len(self.reports) > 1 else None

    def shown(self, name: str) -> str:
        """Returns a metric without its unit, with the standard deviation over seeds or the interval."""
        metric, deviation = self.metric(name), self.deviation(name)
        if deviation is None:
            return metric.shown_with_interval()
        return f'{metric.digits(metric.value)} ± {metric.digits(deviation)}'

    def resamples(self, name: str) -> np.ndarray:
        """Returns a metric on each resample of the examples, f64 [resamples].

        Several seeds are averaged, and each resample is moved as other seeds might move it.
        """
        resamples = np.mean([report.resamples[name] for report in self.reports], axis=0)
        seeds = len(self.reports)
        if seeds == 1:
            return resamples
        random = np.random.default_rng([self.reports[0].bootstrap.seed, self.index])
        error = np.std(self._values(name), ddof=1) / math.sqrt(seeds)
        return resamples + error * random.standard_t(seeds - 1, len(resamples))

    def _values(self, name: str) -> list[float]:
        return [report.metrics[name].value for report in self.reports]


def from_inputs(inputs: Sequence[ComparisonInput], reports: Sequence[Report]) -> list[Method]:
    """Groups outputs into methods, in the order of their first outputs.

    Outputs of runs belong to one method if the config apart from the seed, the code and the name of the
    outputs are equal. Outputs that belong to no run are a method each, unless their details name the same
    `method`.

    Raises:
      UserError: two outputs of one method have the same seed. They are then not independent.
    """
    members: dict[object, list[int]] = {}
    for index, source in enumerate(inputs):
        members.setdefault(_identity(source), []).append(index)
    for indices in members.values():
        _check_seeds([inputs[index] for index in indices])
    return [
        Method([inputs[index] for index in indices], [reports[index] for index in indices], place)
        for place, indices in enumerate(members.values())
    ]


def differing_conditions(methods: Sequence[Method]) -> dict[str, list[str]]:
    """Returns the metrics that were computed in different ways: name to sentences that say how."""
    conditions: dict[str, set[str]] = {}
    for report in (report for method in methods for report in method.reports):
        for metric, sentence in report.conditions.items():
            conditions.setdefault(metric, set()).add(sentence)
    return {metric: sorted(sentences) for metric, sentences in conditions.items() if len(sentences) > 1}


def _identity(source: ComparisonInput) -> object:
    """Returns what outputs of the same method have in common."""
    if source.settings is None:
        details = source.outputs.manifest.details
        return details.get('method', source.folder)
    settings = frozenset(source.settings.values.items())
    return settings, source.commit, source.outputs.folder.name


def _check_seeds(members: Sequence[ComparisonInput]) -> None:
    by_seed: dict[str, ComparisonInput] = {}
    for source in members:
        if source.seed in by_seed:
            raise UserError(
                f'{by_seed[source.seed].folder} and {source.folder} are duplicates: same config or method, '
                'seed and code. Pass only one of them.'
            )
        by_seed[source.seed] = source
