"""The first training examples of a dataset, for learning from few examples."""

from dataclasses import dataclass, replace

import numpy as np

from engine.datasets.expressions import derived, expression, selection
from engine.datasets.expressions.expression import Expression, Load
from engine.datasets.load import load as load_name
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError, did_you_mean

TRAIN = 'train'


@dataclass(frozen=True)
class First:
    """The first examples of `train` in the order of the digests of their ids. Other splits stay.

        trainer.Trainer.dataset = @datasets.First()
        datasets.First.dataset = 'digits'
        datasets.First.count = 10
        datasets.First.field = 'label'

    The first 100 examples lie among the first 200. They do not depend on the order in which examples are
    stored: no class comes first.

    Args:
      dataset: name of a Dataset+, or an expression.
      count: number of examples, of each class if there is a field.
      field: of the classes; '' does not look at classes.
    """

    dataset: str | Expression
    count: int
    field: str = ''

    def __post_init__(self) -> None:
        """Raises `UserError` if no example is taken."""
        if self.count < 1:
            raise UserError(f'First.count = {self.count}: it must be at least 1.')

    @property
    def text(self) -> str:
        """The expression in one line."""
        options = {'field': self.field} if self.field else {}
        return expression.call('First', self.dataset, self.count, **options)

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        return expression.joined_slug('first', self.count, self.field, self.dataset)

    def names(self) -> tuple[str, ...]:
        """Returns the names of all datasets below."""
        return expression.names(self.dataset)

    def toy(self) -> 'First':
        """Returns the first examples of the toy form, fewer where it has too few."""
        toy = replace(self, dataset=expression.toy(self.dataset))
        train = expression.load(toy.dataset, load_name).split(TRAIN)
        return replace(toy, count=min(self.count, *toy._available(train).values()))

    def load(self, load: Load) -> Dataset:
        """Returns the dataset with fewer training examples."""
        data = derived.member(self, self.dataset, load)
        train = data.split(TRAIN)
        self._check_count(data.name, train)
        first = selection.selected(train, self._rows(train))
        selection.check_groups(self.text, first)

        def make(split: str) -> Examples:
            return first if split == TRAIN else data.split(split)

        values = {'count': self.count, 'field': self.field}
        return derived.derived(self, values, (data,), data.splits | {TRAIN: len(first)}, make)

    def _available(self, train: Examples) -> dict[str, int]:
        """Returns the number of examples of each class that occurs, or of all examples."""
        if not self.field:
            return {'': len(train)}
        labels, counts = np.unique(self._labels(train), return_counts=True)
        return {str(label): int(count) for label, count in zip(labels, counts, strict=True) if label >= 0}

    def _labels(self, train: Examples) -> np.ndarray:
        """Returns the class of each example, int [n]. Raises `UserError` if the field holds none."""
        classes = {
            name: array
            for name, array in train.arrays.items()
            if array.ndim == 1 and array.dtype.kind in 'iu'
        }
        if self.field not in classes:
            problem = 'has no class for each example' if self.field in train.arrays else 'is not a field'
            raise UserError(
                f'First.field = {self.field!r}: it {problem} of {expression.text(self.dataset)}. '
                f'{did_you_mean(self.field, classes)}'
            )
        return classes[self.field]

    def _check_count(self, name: str, train: Examples) -> None:
        """Raises `UserError` if there are not enough examples."""
        available = self._available(train)
        fewest = min(available, key=lambda each: available[each], default='')
        count = available.get(fewest, 0)
        if self.count > count:
            of_class = f' of class {fewest} in {self.field!r}' if fewest else ''
            raise UserError(
                f'First.count = {self.count}: train of {name} has {count:,} examples{of_class}. '
                f'Take at most {count}.'
            )

    def _rows(self, train: Examples) -> np.ndarray:
        """Returns the indices of the examples that are taken, in the order of their digests, int64 [n]."""
        order = selection.by_digest(train.ids)
        if not self.field:
            return order[: self.count]
        labels = self._labels(train)[order]
        taken = [np.flatnonzero(labels == label)[: self.count] for label in np.unique(labels[labels >= 0])]
        return order[np.sort(np.concatenate(taken))]
