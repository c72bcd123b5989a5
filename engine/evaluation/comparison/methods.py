"""Methods: runs that differ only in their seed or fold are one method, with a mean and a standard deviation.

How far other seeds would move the mean is drawn from Student's t around it, for each method separately. The
test of a difference is then that of Behrens and Fisher.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine import files
from engine.errors import UserError, did_you_mean
from engine.evaluation import kind_evaluation
from engine.evaluation.comparison import paired
from engine.evaluation.comparison.comparison_inputs import ComparisonInput
from engine.evaluation.results.metric import Metric
from engine.evaluation.results.report import Report

SWEEP_FILE = 'sweep.json'  # in the folder of a sweep, beside the folder of its runs


@dataclass(frozen=True)
class Method:
    """The outputs of one method, one per seed, or one per fold and seed.

    Attributes:
      inputs: the outputs.
      reports: the evaluation of each seed; in a cross-validation, on the examples of all folds together.
      index: index of the method; methods with different indices get independent random numbers.
      name: what tables and pages call it.
      folds: in a cross-validation, the evaluations of each fold, one per seed; else ().
    """

    inputs: Sequence[ComparisonInput]
    reports: Sequence[Report]
    index: int = 0
    name: str = ''
    folds: Sequence[Sequence[Report]] = ()

    @property
    def folder(self) -> Path:
        """The folder of the first outputs."""
        return self.inputs[0].folder

    @property
    def seeds(self) -> str:
        """The seeds as people read them; '' if neither configs nor outputs state any."""
        seeds = {source.seed for source in self.inputs if source.seed}
        return ', '.join(sorted(seeds, key=lambda seed: (len(seed), seed)))

    @property
    def is_named_by_digest(self) -> bool:
        """Whether its name is that of a run of a sweep: a digest, which tells people nothing."""
        return self.name == self.folder.name and (self.folder.parents[1] / SWEEP_FILE).is_file()

    @property
    def order_files(self) -> str:
        """The files that ordered the training examples, each with the start of its sha256; '' without any."""
        files = (item for source in self.inputs for item in source.order_files.items())
        return ', '.join(dict.fromkeys(f'{name} {sha256[:7]}' for name, sha256 in files))

    @property
    def commits(self) -> str:
        """Every version of the code that took part in the runs; '' if unknown."""
        return ', '.join(dict.fromkeys(name for source in self.inputs for name in source.commits))

    @property
    def evaluations(self) -> list[Report]:
        """All reports, those of folds too."""
        return [*self.reports, *(report for seeds in self.folds for report in seeds)]

    @property
    def test_over_train(self) -> float:
        """Number of test examples over number of training examples, of a fold.

        One fold is for testing, one for choosing the checkpoint, and the others are for training.
        """
        return 1 / (len(self.folds) - 2)

    def metric(self, name: str) -> Metric:
        """Returns a metric, the mean over folds or seeds. Ends of an unknown interval are NaN."""
        if not self.folds:
            return self.pooled(name)
        values, confidence = self.values(name), self.reports[0].bootstrap.confidence
        ends = paired.corrected_resampled_interval(values, self.test_over_train, confidence)
        return self._mean(name, values, np.array(ends))

    def pooled(self, name: str) -> Metric:
        """Returns a metric of all examples, those of all folds together; the mean over the seeds."""
        if len(self.reports) == 1:
            return self.reports[0].metrics[name]
        ends = np.full(2, math.nan)
        if all(name in report.resamples for report in self.reports):
            ends = self.reports[0].bootstrap.interval(self.resamples(name))
        return self._mean(name, self._of_seeds(name), ends)

    def has_pooled(self, name: str) -> bool:
        """Returns whether a metric makes sense on the examples of all folds together."""
        return name in kind_evaluation.load(self.reports[0].outputs.kind).pooled_metrics

    def _mean(self, name: str, values: np.ndarray, ends: np.ndarray) -> Metric:
        first = self.reports[0].metrics[name]
        if first.definition.unit == 'fraction':
            ends = np.clip(ends, 0, 1)
        return replace(first, value=float(np.mean(values)), interval=ends.tolist(), note='')

    def values(self, name: str) -> np.ndarray:
        """Returns a metric of each fold, the mean over its seeds, f64 [folds]; without folds of each seed."""
        if not self.folds:
            return self._of_seeds(name)
        return np.array([np.mean([report.metrics[name].value for report in seeds]) for seeds in self.folds])

    def deviation(self, name: str) -> float | None:
        """Returns the standard deviation of a metric over folds or seeds (n - 1); None for a single seed."""
        values = self.values(name)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def shown(self, name: str) -> str:
        """Returns a metric without its unit, with the standard deviation or the interval."""
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
        error = np.std(self._of_seeds(name), ddof=1) / math.sqrt(seeds)
        return resamples + error * random.standard_t(seeds - 1, len(resamples))

    def _of_seeds(self, name: str) -> np.ndarray:
        return np.array([report.metrics[name].value for report in self.reports])


def from_inputs(inputs: Sequence[ComparisonInput], reports: Sequence[Report]) -> list[Method]:
    """Groups outputs into methods, in the order of their first outputs. No two of a method share a seed."""
    members: dict[object, list[int]] = {}
    for index, source in enumerate(inputs):
        members.setdefault(source.method, []).append(index)
    return [
        Method([inputs[index] for index in indices], [reports[index] for index in indices], place)
        for place, indices in enumerate(members.values())
    ]


def named(methods: Sequence[Method], names: Mapping[str, str]) -> list[Method]:
    """Names the methods.

    Args:
      methods: the methods.
      names: the folder of a run, or its shortest distinct name, to the name of its method. A method that is
        not named is called by the shortest distinct name of its first folder.

    Raises:
      UserError: a key is not among the methods, or two methods get the same name.
    """
    folders = [method.folder for method in methods]
    if len(set(folders)) < len(folders):
        folders = [method.inputs[0].outputs.folder.resolve() for method in methods]
    short = files.distinct_names(folders)
    places = {key: place for place, method in enumerate(methods) for key in _keys(method, short[place])}
    result = list(short)
    for key, name in names.items():
        place = places.get(key, places.get(str(Path(key).expanduser().resolve())))
        if place is None:
            raise UserError(f'--rows: there is no run {key!r}. {did_you_mean(key, short)}')
        result[place] = name
    for name in result:
        if result.count(name) > 1:
            raise UserError(f'--rows: two methods are called {name!r}. Give them different names.')
    return [replace(method, name=name) for method, name in zip(methods, result, strict=True)]


def _keys(method: Method, short: str) -> list[str]:
    """Returns the texts that stand for a method on the command line."""
    folders = [folder for source in method.inputs for folder in (source.folder, source.outputs.folder)]
    return [short, *(str(folder.resolve()) for folder in folders), *(folder.name for folder in folders[::2])]


def differing_conditions(methods: Sequence[Method]) -> dict[str, list[str]]:
    """Returns the metrics that were computed in different ways: name to sentences that say how."""
    conditions: dict[str, set[str]] = {}
    for report in (report for method in methods for report in method.reports):
        for metric, sentence in report.conditions.items():
            conditions.setdefault(metric, set()).add(sentence)
    return {metric: sorted(sentences) for metric, sentences in conditions.items() if len(sentences) > 1}
