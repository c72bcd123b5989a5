"""Runs of one method: those that differ only in their seed, as mean and standard deviation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from research.errors import UserError
from research.evaluation.metric import Metric
from research.evaluation.report import Report
from research.evaluation.sources import Source


@dataclass(frozen=True)
class Group:
    """Outputs of one method, by seed.

    Attributes:
      sources: the outputs.
      reports: what was found about each.
    """

    sources: Sequence[Source]
    reports: Sequence[Report]

    @property
    def folder(self) -> Path:
        """Where the first of them lies."""
        return self.sources[0].folder

    @property
    def seeds(self) -> str:
        """The seeds as people read them; '' where no config tells."""
        return ', '.join(each.settings.seed for each in self.sources if each.settings)

    def metric(self, name: str) -> Metric:
        """Returns a metric, of several seeds their mean, to which no interval belongs."""
        one = self.reports[0].metrics[name]
        if len(self.reports) == 1:
            return one
        return replace(one, value=float(np.mean(self._values(name))), interval=(math.nan, math.nan))

    def deviation(self, name: str) -> float | None:
        """Returns the standard deviation of a metric over the seeds (n - 1); None of a single one."""
        return float(np.std(self._values(name), ddof=1)) if len(self.reports) > 1 else None

    def shown(self, name: str) -> str:
        """Returns a metric with its standard deviation over seeds, or with its interval; without its unit."""
        metric, deviation = self.metric(name), self.deviation(name)
        if deviation is None:
            return metric.shown_with_interval()
        return f'{metric.digits(metric.value)} ± {metric.digits(deviation)}'

    def draws(self, name: str) -> np.ndarray:
        """Returns a metric on each resample of the examples, of several seeds their mean, f64 [draws]."""
        return np.mean([each.draws[name] for each in self.reports], axis=0)

    def _values(self, name: str) -> list[float]:
        return [each.metrics[name].value for each in self.reports]


def by_method(sources: Sequence[Source], reports: Sequence[Report]) -> list[Group]:
    """Groups outputs by config without seed, code, and name of the outputs, in the order of the first ones.

    Outputs that are no run's are a method each.

    Raises:
      UserError: two runs have the seed in common too, and are not two samples of anything.
    """
    found: dict[object, list[int]] = {}
    for index, source in enumerate(sources):
        found.setdefault(_method(source), []).append(index)
    for members in found.values():
        _check_seeds([sources[index] for index in members])
    return [Group([sources[i] for i in each], [reports[i] for i in each]) for each in found.values()]


def _method(source: Source) -> object:
    if source.settings is None:
        return source.folder
    settings = frozenset(source.settings.values.items())
    return settings, source.commit, source.outputs.folder.name


def _check_seeds(members: Sequence[Source]) -> None:
    seen: dict[str, Source] = {}
    for each in members:
        seed = each.settings.seed if each.settings else ''
        if seed in seen:
            raise UserError(
                f'{seen[seed].folder} and {each.folder} are the same run twice: config, seed and code '
                'are the same. Give one of them.'
            )
        seen[seed] = each
