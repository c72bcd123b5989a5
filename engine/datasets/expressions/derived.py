"""Datasets that are made of others: their members, their fingerprint, and examples that are made once."""

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from engine.datasets.expressions.expression import Expression, Load, text
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError


def derived(
    expression: Expression,
    values: Mapping[str, Any],
    members: tuple[Dataset, ...],
    splits: Mapping[str, int],
    make: Callable[[str], Examples],
) -> Dataset:
    """Returns a dataset with the fields of its first member.

    Args:
      expression: what the config binds.
      values: all that its examples depend on beside its members, which JSON can hold.
      members: the datasets that it is made of, in their order.
      splits: the number of examples of each split.
      make: returns the examples of a split. They are kept: it is called once for each split.
    """
    first = members[0]
    return Dataset(
        name=expression.text,
        version='',
        fingerprint=fingerprint({'class': type(expression).__name__, **values}, *members),
        spec=first.spec,
        splits=dict(splits),
        encoded=first.encoded,
        make=cache(make),
        made_of=members,
    )


def fingerprint(values: Mapping[str, Any], *members: Dataset) -> str:
    """Returns the sha256 that identifies what an expression makes of some datasets.

    Args:
      values: of the expression, which JSON can hold; they name its class.
      members: the datasets, in their order.
    """
    content = json.dumps([values, [each.fingerprint for each in members]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def member(expression: Expression, dataset: str | Expression, load: Load) -> Dataset:
    """Returns a dataset of which an expression is made. Raises `UserError` if it has several parts."""
    data = load(dataset)
    if not data.parts:
        return data
    name = type(expression).__name__
    raise UserError(
        f'{name} is made of {text(dataset)}, but Named holds several parts, and {name} makes one. '
        f'Let Named be the outermost expression, bound to Trainer.dataset, and {name} one of its parts.'
    )
