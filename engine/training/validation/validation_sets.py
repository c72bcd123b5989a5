"""The sets that `Trainer.validate` names: their examples and the names of their metrics."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from engine.datasets.expressions import fitting
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError, did_you_mean
from engine.interfaces import Spec
from engine.training.validation.evaluation_set import EvaluationSet
from engine.training.validation.stopping import Stop

Values = dict[str, float]


@dataclass(frozen=True)
class ValidationSet:
    """A set that is evaluated.

    Attributes:
      name: of the set.
      data: the dataset.
      examples: the examples, with the fields that the task knows.
      chosen: the positions of the examples that are evaluated, int [n]; None takes all.
    """

    name: str
    data: Dataset
    examples: Examples
    chosen: np.ndarray | None

    @property
    def count(self) -> int:
        """How many examples are evaluated."""
        return len(self.examples) if self.chosen is None else len(self.chosen)

    @property
    def size(self) -> str:
        """How many examples are evaluated, and of how many."""
        return f'{self.count:,} of {len(self.examples):,} examples of {self.name}'


class ValidationSets:
    """The sets that a training evaluates.

    Args:
      sets: the sets, in the order of the config.
      trained_on: the dataset that is trained on.
      is_plain: whether metrics have no set in their names, because the only set is a split by its name.
    """

    def __init__(self, sets: Sequence[ValidationSet], trained_on: Dataset, is_plain: bool):
        self.sets, self._trained_on, self._is_plain = tuple(sets), trained_on, is_plain

    @property
    def first(self) -> ValidationSet:
        """The first set, which metrics without a set in their names belong to."""
        return self.sets[0]

    def others(self) -> dict[str, Dataset]:
        """Returns the datasets that are evaluated beside the one that is trained on, by their names."""
        return {each.data.name: each.data for each in self.sets if each.data is not self._trained_on}

    def origin(self) -> dict[str, Any]:
        """Returns what environment.json says of the datasets that are trained on and evaluated."""
        others = {name: _recorded(data) for name, data in self.others().items()}
        evaluated = {'evaluated_datasets': others} if others else {}
        return {'dataset': _recorded(self._trained_on)} | evaluated

    @property
    def sizes(self) -> str:
        """How many examples of each set are evaluated."""
        return ', '.join(each.size for each in self.sets)

    def measured(self, measure: Callable[[ValidationSet], Values]) -> Values:
        """Returns the metrics of all sets, given a function that returns those of one."""
        return {
            self._full(each.name, metric): value
            for each in self.sets
            for metric, value in measure(each).items()
        }

    def _full(self, name: str, metric: str) -> str:
        return metric if self._is_plain else f'{name}/{metric}'

    def metric(self, name: str, setting: str, measured: Sequence[str]) -> str:
        """Returns the name of a metric in the log. A name without a set belongs to the first set.

        Args:
          name: of the metric, such as 'val/loss', or 'loss'.
          setting: what names the metric, for the message.
          measured: the metrics of each set.

        Raises:
          UserError: evaluation has no such metric.
        """
        known = [self._full(each.name, metric) for each in self.sets for metric in measured]
        match = next((full for full in (name, self._full(self.first.name, name)) if full in known), None)
        if match is None:
            hint = did_you_mean(name, known)
            raise UserError(f'{setting}: evaluation has no metric {name!r}. {hint}')
        return match

    def check_metrics(self, best: tuple[str, str] | None, stop: Stop | None, measured: Sequence[str]) -> None:
        """Raises `UserError` if evaluation lacks a metric that chooses the best checkpoint, or that stops."""
        if stop and not (hasattr(stop, 'metrics') and callable(getattr(stop, 'reason', None))):
            raise UserError(
                f'Trainer.stop: {type(stop).__name__} needs `metrics`, the names of the metrics it reads, '
                'and `reason(evaluations)`, as `Stop` in engine/training/validation/stopping.py says.'
            )
        if best:
            self.metric(best[0], f'Trainer.best = {best}', measured)
        for name in stop.metrics if stop else ():
            self.metric(name, f'Trainer.stop: {type(stop).__name__}', measured)

    def with_short_names(self, evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the line of an evaluation with the metrics of the first set under their short names too."""
        if self._is_plain:
            return evaluation
        prefix = f'{self.first.name}/'
        return {name.removeprefix(prefix): value for name, value in evaluation.items()} | dict(evaluation)


def load_sets(
    validate: Sequence[str | EvaluationSet],
    data: Dataset,
    load: Callable[[Any], Dataset],
    count: int | None,
    truth: Sequence[str],
) -> ValidationSets:
    """Returns the sets that a config names.

    Args:
      validate: names of splits, or sets.
      data: the dataset that is trained on.
      load: loads another dataset, by its name or as an expression.
      count: how many examples of each set are evaluated; None takes all.
      truth: the fields that hold the task's labels.

    Raises:
      UserError: there is no such split, two sets have one name, or another dataset does not fit the first.
    """
    if not validate:
        raise UserError("Trainer.validate is empty: name at least one split, such as ('val',).")
    wanted = [EvaluationSet(split=each) if isinstance(each, str) else each for each in validate]
    datasets = {'': data, data.name: data}
    for each in wanted:
        if each.text not in datasets:
            datasets[each.text] = load(each.dataset)
    sets = {}
    for each in wanted:
        if each.title in sets:
            raise UserError(
                f'Trainer.validate: two sets are called {each.title!r}. Give one of them another '
                'EvaluationSet.name.'
            )
        other = datasets[each.text]
        _check_fits(each.title, other, data, truth)
        examples = _known(other.split(each.split), data.spec)
        if not len(examples):
            raise UserError(f'Trainer.validate: {each.title!r} has no examples.')
        chosen = spread(len(examples), count) if count and count < len(examples) else None
        sets[each.title] = ValidationSet(each.title, other, examples, chosen)
    is_plain = len(validate) == 1 and isinstance(validate[0], str)
    return ValidationSets([*sets.values()], data, is_plain)


def _recorded(data: Dataset) -> dict[str, Any]:
    """Returns what environment.json says of a dataset."""
    record: dict[str, Any] = {
        'name': data.name,
        'version': data.version,
        'fingerprint': data.fingerprint,
    }
    record |= {'members': data.members} if data.members else {}
    left_out = [asdict(image) for source in data.sources for image in source.images.left_out]
    return record | ({'left_out': left_out} if left_out else {})


def spread(n: int, count: int) -> np.ndarray:
    """Returns positions of `count` of n examples, spread evenly: one drawn from each of `count` equal parts.

    They depend on n and `count` alone. A fixed stride would take a single class of a set whose classes take
    turns; the first examples would be a single class of a set that is sorted by class.

    >>> spread(8, 8).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]

    Returns:
      int64 [min(count, n)], in ascending order, each once.
    """
    edges = np.arange(min(count, n) + 1) * n // max(min(count, n), 1)
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((n, count))))
    return generator.integers(edges[:-1], edges[1:])


def _known(examples: Examples, spec: Spec) -> Examples:
    """Returns examples without the fields that the task does not know."""
    parts = {
        name: {field: array for field, array in getattr(examples, name).items() if field in spec.example}
        for name in ('arrays', 'encoded')
    }
    return replace(examples, **parts)


def _check_fits(name: str, other: Dataset, data: Dataset, truth: Sequence[str]) -> None:
    """Raises `UserError`, which names the first field, if a task bound to `data` cannot evaluate `other`."""
    problems = [fitting.misfit(field, other, data) for field in data.spec.example]
    problems += [fitting.other_classes(field, other.spec, data.spec) for field in truth]
    problems += [fitting.other_words(note, other.spec, data.spec) for note in data.spec.notes]
    problem = next(filter(None, problems), '')
    if problem:
        raise UserError(
            f'Trainer.validate: {name!r} does not fit {data.name}, which the task is trained on: {problem}.'
        )
