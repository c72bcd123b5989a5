"""The protocol of dataset expressions, and how a dataset is loaded from one.

A config binds a name, such as 'digits', or an expression over other datasets, such as `datasets.Fold` of
`engine.parts.datasets`. Expressions nest.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from engine.datasets.catalogue.names import DatasetName
from engine.datasets.expressions.no_dataset import NAME
from engine.datasets.reading.dataset import Dataset


class Expression(Protocol):
    """A dataset that is made of others. A config may bind yours."""

    @property
    def text(self) -> str:
        """The expression in one line, which logs, pages and outputs call the dataset."""
        ...

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        ...

    def names(self) -> tuple[str, ...]:
        """Returns the names of all datasets that the expression is made of, each once."""
        ...

    def toy(self) -> 'Expression':
        """Returns the same expression over the toy forms of its datasets."""
        ...

    def load(self, load: 'Load') -> Dataset:
        """Returns the dataset.

        Args:
          load: returns the dataset of a name or an expression.

        Raises:
          UserError: the datasets do not fit each other or the expression.
        """
        ...


Load = Callable[['str | Expression'], Dataset]


def load(dataset: str | Expression, load_name: Callable[[str], Dataset]) -> Dataset:
    """Returns the dataset of a name or an expression.

    Args:
      dataset: the name or the expression.
      load_name: returns the dataset of a name.
    """
    if isinstance(dataset, str):
        return load_name(dataset)
    return dataset.load(lambda member: load(member, load_name))


def fingerprint(values: Mapping[str, Any], *members: Dataset) -> str:
    """Returns the sha256 that identifies what an expression makes of some datasets.

    Args:
      values: of the expression, which JSON can hold; they name its class.
      members: the datasets, in their order.
    """
    content = json.dumps([values, [each.fingerprint for each in members]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def names(dataset: str | Expression | None) -> tuple[str, ...]:
    """Returns the names of all datasets that a dataset is made of; () for None."""
    if dataset is None or isinstance(dataset, str):
        return (dataset,) if dataset else ()
    return dataset.names()


def slug(dataset: str | Expression | None) -> str:
    """Returns a dataset as the name of a folder.

    >>> slug('digits/toy'), slug(None)
    ('digits-toy', 'none')
    """
    if dataset is None:
        return NAME
    return DatasetName.parse(dataset).slug if isinstance(dataset, str) else dataset.slug
