"""Runs of one method: those that differ only in their seed, as mean and standard deviation.

Source of what other seeds would change: Student's t around the mean of those that were tried, drawn for each
method by itself, which makes the test of a difference that of Behrens and Fisher.
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
    """Outputs of one method, by seed.

    Attributes:
      inputs: the outputs.
      reports: what was found about each.
      place: among the methods that are compared, so that each has chances of its own.
    """

    inputs: Sequence[ComparisonInput]
    reports: Sequence[Report]
    place: int = 0

    @property
    def folder(self) -> Path:
        """Where the first of them lies."""
        return self.inputs[0].folder

    @property
    def seeds(self) -> str:
        """The seeds as people read them; '' where neither configs nor outputs tell."""
        return ', '.join(filter(None, (each.seed for each in self.inputs)))

    def metric(self, name: str) -> Metric:
        """Returns a metric, of several seeds their mean; NaN for ends of an interval that nothing tells."""
        one = self.reports[0].metrics[name]
        if len(self.reports) == 1:
            return one
        ends = np.full(2, math.nan)
        if all(name in each.resamples for each in self.reports):
            ends = self.reports[0].bootstrap.interval(self.resamples(name))
        if one.definition.unit == 'fraction':
            ends = np.clip(ends, 0, 1)
        return replace(one, value=float(np.mean(self._values(name))), interval=ends.tolist())

    def deviation(self, name: str) -> float | None:
        """Returns the standard deviation of a metric over the seeds (n - 1); None of a single one."""
        return float(np.std(self._values(name), ddof=1)) if len(self.reports) > 1 else None

    def shown(self, name: str) -> str:
        """Returns a metric with its standard deviation over seeds, or with its interval; without its unit."""
        metric, deviation = self.metric(name), self.deviation(name)
        if deviation is None:
            return metric.shown_with_interval()
        return f'{metric.digits(metric.value)} ± {metric.digits(deviation)}'

    def resamples(self, name: str) -> np.ndarray:
        """Returns a metric on each resample of the examples, f64 [resamples].

        Of several seeds it is their mean, and each time moved as other seeds might move it.
        """
        resamples = np.mean([each.resamples[name] for each in self.reports], axis=0)
        seeds = len(self.reports)
        if seeds == 1:
            return resamples
        random = np.random.default_rng([self.reports[0].bootstrap.seed, self.place])
        error = np.std(self._values(name), ddof=1) / math.sqrt(seeds)
        return resamples + error * random.standard_t(seeds - 1, len(resamples))

    def _values(self, name: str) -> list[float]:
        return [each.metrics[name].value for each in self.reports]


def from_inputs(inputs: Sequence[ComparisonInput], reports: Sequence[Report]) -> list[Method]:
    """Groups outputs by config without seed, code, and name of the outputs, in the order of the first ones.

    Outputs that are no run's are a method each, unless their details name the same `method`.

    Raises:
      UserError: two runs have the seed in common too, and are not two samples of anything.
    """
    found: dict[object, list[int]] = {}
    for index, source in enumerate(inputs):
        found.setdefault(_method(source), []).append(index)
    for members in found.values():
        _check_seeds([inputs[index] for index in members])
    return [
        Method([inputs[index] for index in each], [reports[index] for index in each], place)
        for place, each in enumerate(found.values())
    ]


def are_alike(methods: Sequence[Method], name: str) -> bool:
    """Returns whether a metric is made alike of all: log loss of logits is exact, of probabilities not."""
    saved = {'logits' in source.outputs.arrays for method in methods for source in method.inputs}
    return name != 'log_loss' or len(saved) == 1


def _method(source: ComparisonInput) -> object:
    if source.settings is None:
        details = source.outputs.manifest['details']
        return details.get('method', source.folder)
    settings = frozenset(source.settings.values.items())
    return settings, source.commit, source.outputs.folder.name


def _check_seeds(members: Sequence[ComparisonInput]) -> None:
    seen: dict[str, ComparisonInput] = {}
    for each in members:
        if each.seed in seen:
            raise UserError(
                f'{seen[each.seed].folder} and {each.folder} are the same twice: config or method, seed and '
                'code are the same. Give one of them.'
            )
        seen[each.seed] = each
