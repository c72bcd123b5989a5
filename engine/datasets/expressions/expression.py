"""The protocol of dataset expressions, and how a dataset is loaded from one.

A config binds a name, such as 'digits', or an expression over other datasets, such as `datasets.Fold` of
`engine.parts.datasets`. Expressions nest.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, Protocol

from engine.datasets.catalogue.names import IMAGES, NO_DATASET, TEXT, DatasetName
from engine.datasets.expressions.naming import ExpressionNames
from engine.datasets.reading.dataset import Dataset

MAX_SLUG_LENGTH = 80  # characters of a name of a folder; file systems allow 255 bytes


class Expression(ExpressionNames, Protocol):
    """A dataset that is made of others. A config may bind yours."""

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


# What a config names, whether it is a name, an expression or None.


def names(*datasets: str | Expression | None) -> tuple[str, ...]:
    """Returns the names of all datasets that some datasets are made of, each once.

    >>> names('digits', 'shapes', 'digits', None)
    ('digits', 'shapes')
    """
    members = ((each,) if isinstance(each, str) else each.names() for each in datasets if each)
    return tuple(dict.fromkeys(name for member in members for name in member))


def text(dataset: str | Expression | None) -> str:
    """Returns a dataset in one line, an expression as Python writes it.

    >>> text('digits/toy'), text(None)
    ('digits/toy', 'none')
    """
    return NO_DATASET if dataset is None else dataset if isinstance(dataset, str) else dataset.text


def call(name: str, *arguments: Any, **options: Any) -> str:
    """Returns the text of an expression: a call in Python, whose datasets are quoted.

    >>> call('First', 'digits', count=3)
    "First('digits', count=3)"
    """
    words = [*map(_argument, arguments), *(f'{key}={_argument(value)}' for key, value in options.items())]
    return f'{name}({", ".join(words)})'


def _argument(value: Any) -> str:
    return value.text if hasattr(value, 'text') else repr(value)


def slug(dataset: str | Expression | None) -> str:
    """Returns a dataset as the name of a folder.

    >>> slug('digits/toy'), slug(None)
    ('digits-toy', 'none')
    """
    if dataset is None:
        return NO_DATASET
    return DatasetName.parse(dataset).slug if isinstance(dataset, str) else dataset.slug


def joined_slug(*parts: Any) -> str:
    """Returns the name of a folder made of words, numbers and datasets; a digest ends a long one.

    >>> joined_slug('first', 'digits/toy', 100)
    'first-digits-toy-100'
    """
    words = [slug(part) if isinstance(part, str) or hasattr(part, 'slug') else str(part) for part in parts]
    name = re.sub('[^a-zA-Z0-9_.-]+', '-', '-'.join(filter(None, words)))
    if len(name) <= MAX_SLUG_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f'{name[: MAX_SLUG_LENGTH - 9]}-{digest}'


def label(dataset: str | Expression) -> str:
    """Returns a short name of a dataset, which does not depend on where its files lie.

    >>> label('digits'), label('images:/home/ada/photos')
    ('digits', 'photos')
    """
    if not isinstance(dataset, str):
        return '+'.join(map(label, dataset.names())) or dataset.slug
    name = DatasetName.parse(dataset)
    if name.source in (IMAGES, TEXT):
        return name.path.name
    return name.dataset if name.source else dataset


def toy(dataset: str | Expression) -> str | Expression:
    """Returns the toy form of a dataset. Images and TFDS's datasets have none, and stay as they are.

    >>> toy('digits'), toy('tfds:mnist')
    ('digits/toy', 'tfds:mnist')
    """
    if not isinstance(dataset, str):
        return dataset.toy()
    return DatasetName.parse(dataset).toy
