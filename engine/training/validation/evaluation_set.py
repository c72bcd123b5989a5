"""A set of examples to evaluate on, for configs."""

import re
from dataclasses import dataclass

from engine.datasets.catalogue.names import REPOSITORY, DatasetName
from engine.datasets.expressions.naming import ExpressionNames
from engine.errors import UserError


@dataclass(frozen=True)
class EvaluationSet:
    """A split to evaluate on, of the dataset that is trained on or of another one.

        trainer.Trainer.validate = ('val', @photos/evaluation_set.EvaluationSet())
        photos/evaluation_set.EvaluationSet.dataset = 'photos'
        photos/evaluation_set.EvaluationSet.split = 'test'

    The examples of another dataset need the fields of the first one, of the same shapes, dtypes and classes.

    Args:
      dataset: name of a Dataset+, such as 'photos', or an expression. '' is the dataset that is trained on.
      split: of the dataset.
      name: the part of the names of metrics before the slash, as in 'photos-test/loss'. By default it is
        '<split>', with '<dataset>-' before it for another dataset.
    """

    dataset: str | ExpressionNames = ''
    split: str = 'val'
    name: str = ''

    def __post_init__(self) -> None:
        """Raises `UserError` if the name cannot be a part of the name of a metric."""
        if self.name and not re.fullmatch(r'[\w.-]+', self.name):
            raise UserError(
                f'EvaluationSet.name = {self.name!r}: use letters, digits, dots, dashes and underscores.'
            )

    @property
    def text(self) -> str:
        """The dataset in one line."""
        return self.dataset if isinstance(self.dataset, str) else self.dataset.text

    @property
    def title(self) -> str:
        """The name of the set. It does not depend on the config of a dataset, such as `toy`."""
        if self.name or not self.dataset:
            return self.name or self.split
        if not isinstance(self.dataset, str):
            return f'{self.dataset.slug}-{self.split}'
        dataset = DatasetName.parse(self.dataset)
        known = dataset.dataset if dataset.source == REPOSITORY else dataset.slug
        return f'{known}-{self.split}'
