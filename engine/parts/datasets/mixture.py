"""Several datasets as one."""

import math
from collections import Counter
from dataclasses import dataclass, replace

from engine.datasets.expressions import derived, expression, fitting, selection
from engine.datasets.expressions.expression import Expression, Load
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError

TRAIN = 'train'


@dataclass(frozen=True)
class Mixture:
    """Several datasets as one: each split that all of them have, one after another.

        trainer.Trainer.dataset = @datasets.Mixture()
        datasets.Mixture.datasets = ('photos', 'images:~/flowers')
        datasets.Mixture.weights = (3, 1)

    The datasets have equal fields: shapes, dtypes and names of classes. The ids of their examples begin with
    the names of the datasets, as in 'photos/0001'.

    Args:
      datasets: names of Dataset+, or expressions; at least two.
      weights: proportions in which training draws examples of the datasets, whatever their sizes. Without
        weights all examples are alike.
    """

    datasets: tuple[str | Expression, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raises `UserError` unless there are several different datasets with weights that fit."""
        if len(self.datasets) < 2:
            raise UserError(
                f'Mixture.datasets has {len(self.datasets)} members: name at least two, or bind the dataset '
                'itself.'
            )
        texts = Counter(map(expression.text, self.datasets))
        if repeated := [text for text, count in texts.items() if count > 1]:
            raise UserError(
                f'Mixture.datasets: {repeated[0]} is a member twice. Name it once; Mixture.weights says how '
                'often it is drawn.'
            )
        self._check_weights()

    def _check_weights(self) -> None:
        if self.weights and len(self.weights) != len(self.datasets):
            raise UserError(
                f'Mixture.weights has {len(self.weights)} weights for {len(self.datasets)} datasets: give '
                'one for each.'
            )
        wrong = [weight for weight in self.weights if not (math.isfinite(weight) and weight >= 0)]
        if wrong or (self.weights and not any(self.weights)):
            problem = f'{wrong[0]} is not a finite number from 0 on' if wrong else 'all are 0'
            raise UserError(
                f'Mixture.weights = {self.weights}: {problem}. Give the proportions of draws, such as (3, 1).'
            )

    @property
    def text(self) -> str:
        """The expression in one line."""
        options = {'weights': self.weights} if self.weights else {}
        return expression.call('Mixture', *self.datasets, **options)

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        weights = self.weights or ('',) * len(self.datasets)
        parts = (part for pair in zip(self.datasets, weights, strict=True) for part in pair)
        return expression.joined_slug('mixture', *parts)

    def names(self) -> tuple[str, ...]:
        """Returns the names of all datasets below."""
        return expression.names(*self.datasets)

    def toy(self) -> 'Mixture':
        """Returns the mixture of the toy forms."""
        return replace(self, datasets=tuple(map(expression.toy, self.datasets)))

    def load(self, load: Load) -> Dataset:
        """Returns the dataset of all examples."""
        members = tuple(derived.member(self, each, load) for each in self.datasets)
        for other in members[1:]:
            if difference := fitting.difference(other, members[0]):
                raise UserError(
                    f'Mixture.datasets: {other.name} does not fit {members[0].name}: {difference}. '
                    'The members of a Mixture have equal fields and classes.'
                )
        splits = {
            name: sum(each.splits[name] for each in members)
            for name in members[0].splits
            if all(name in each.splits for each in members)
        }
        if TRAIN not in splits:
            has_none = next(each for each in members if TRAIN not in each.splits)
            raise UserError(f'Mixture.datasets: {has_none.name} has no split {TRAIN!r}.')
        labels, weights = self._labels(), tuple(map(float, self.weights))

        def make(split: str) -> Examples:
            return selection.mixed([each.split(split) for each in members], labels, weights)

        values = {'labels': labels, 'weights': weights}
        data = derived.derived(self, values, members, splits, make)
        notes = {
            name: note
            for name, note in data.spec.notes.items()
            if all(fitting.is_same_note(note, each.spec.notes.get(name)) for each in members)
        }
        return replace(data, spec=replace(data.spec, notes=notes))

    def _labels(self) -> list[str]:
        """Returns a short name of each member, which differ."""
        labels: list[str] = []
        for each in map(expression.label, self.datasets):
            number = sum(known == each or known.startswith(f'{each}~') for known in labels) + 1
            labels.append(each if number == 1 else f'{each}~{number}')
        return labels
