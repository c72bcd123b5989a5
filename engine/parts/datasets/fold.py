"""One fold of a cross-validation."""

from dataclasses import dataclass, replace

import numpy as np

from engine.datasets.expressions import derived, expression, selection
from engine.datasets.expressions.expression import Expression, Load
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError, did_you_mean

MIN_FOLDS = 3  # one is tested, one chooses the checkpoint, one is trained on
TRAIN, VAL, TEST = 'train', 'val', 'test'


@dataclass(frozen=True)
class Fold:
    """One fold of a cross-validation: pools splits and divides their examples by the digests of their ids.

        trainer.Trainer.dataset = @datasets.Fold()
        datasets.Fold.dataset = 'digits'
        datasets.Fold.fold = 0
        datasets.Fold.folds = 5

    There are `folds` parts of nearly equal size, the same on every machine. Part `fold` is `test`, the next
    part is `val`, the others are `train`. The best checkpoint is therefore never chosen on the examples that
    are reported. Runs with all values of `fold` test each example once.

    A split that is not pooled cannot be reached: a former test split stays unseen. To pool it too, bind
    `splits = ('train', 'val', 'test')`.

    Args:
      dataset: name of a Dataset+, or an expression.
      fold: number of the part that is tested, from 0 to `folds - 1`.
      folds: number of parts, at least 3.
      splits: the splits that are pooled.
    """

    dataset: str | Expression
    fold: int
    folds: int
    splits: tuple[str, ...] = (TRAIN, VAL)

    def __post_init__(self) -> None:
        """Raises `UserError` if there is no such fold, or the splits are not different ones."""
        if self.folds < MIN_FOLDS:
            raise UserError(
                f'Fold.folds = {self.folds}: it must be at least {MIN_FOLDS}. One fold is tested, one '
                'chooses the best checkpoint, and the others are trained on.'
            )
        if not 0 <= self.fold < self.folds:
            raise UserError(
                f'Fold.fold = {self.fold}: the {self.folds} folds have the numbers 0 to {self.folds - 1}.'
            )
        if not self.splits or len(set(self.splits)) < len(self.splits):
            raise UserError(f'Fold.splits = {self.splits}: name at least one split, and each once.')

    @property
    def text(self) -> str:
        """The expression in one line."""
        options = {} if self.splits == (TRAIN, VAL) else {'splits': self.splits}
        return expression.call('Fold', self.dataset, fold=self.fold, folds=self.folds, **options)

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        splits = () if self.splits == (TRAIN, VAL) else self.splits
        return expression.joined_slug('fold', self.fold, 'of', self.folds, *splits, self.dataset)

    def names(self) -> tuple[str, ...]:
        """Returns the names of all datasets below."""
        return expression.names(self.dataset)

    def toy(self) -> 'Fold':
        """Returns the same fold of the toy form."""
        return replace(self, dataset=expression.toy(self.dataset))

    def load(self, load: Load) -> Dataset:
        """Returns the dataset with the splits train, val and test of this fold."""
        data = derived.member(self, self.dataset, load)
        pool = selection.pooled([self._split(data, name) for name in self.splits])
        if self.folds > len(pool):
            raise UserError(
                f'Fold.folds = {self.folds}: {" and ".join(self.splits)} of {data.name} have {len(pool):,} '
                f'examples. Take at most {len(pool)} folds.'
            )
        rows = self._rows(pool)

        def make(split: str) -> Examples:
            return selection.selected(pool, rows[split])

        selection.check_groups(f'train of {self.text}', make(TRAIN))
        values = {'fold': self.fold, 'folds': self.folds, 'splits': self.splits}
        return derived.derived(self, values, (data,), {name: len(each) for name, each in rows.items()}, make)

    def _split(self, data: Dataset, name: str) -> Examples:
        if name not in data.splits:
            raise UserError(
                f'Fold.splits = {self.splits}: {data.name} has no split {name!r}. '
                f'{did_you_mean(name, data.splits)}'
            )
        return data.split(name)

    def _rows(self, pool: Examples) -> dict[str, np.ndarray]:
        """Returns the indices of the examples of each split, by their digests, each int64 [n]."""
        parts = np.array_split(selection.by_digest(pool.ids), self.folds)
        test, val = self.fold, (self.fold + 1) % self.folds
        train = [part for number, part in enumerate(parts) if number not in (test, val)]
        return {TRAIN: np.concatenate(train), VAL: parts[val], TEST: parts[test]}
