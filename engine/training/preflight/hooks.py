"""Checks what the hooks of a task return while they are traced, and names hooks in messages.

Arrays may also be given as shapes with dtypes.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from engine import errors
from engine.errors import UserError, kind_of
from engine.interfaces import BoundTask

RESERVED_METRICS = ('step', 'epoch')  # other columns of the logs


def named(bound: BoundTask, *names: str) -> str:
    """Returns the words for a hook of a task: `predictions() of Mine (research/tasks/mine.py:12)`.

    Args:
      bound: the task. Its own task is searched first, where it has one.
      names: the names of the hook. The one that is defined closest to the task's class is meant.
    """
    for task in (getattr(bound, 'task', bound), bound):
        for owner in type(task).__mro__:
            for name in names:
                if name in vars(owner):
                    place = errors.function_place(vars(owner)[name])
                    return f'{name}() of {type(task).__name__}' + (f' ({place})' if place else '')
    return f'{names[0]}() of {type(bound).__name__}'


def in_words(arrays: Mapping[str, Any]) -> str:
    """Returns names, dtypes and shapes of arrays: `logits float32 [8, 10]`.

    >>> in_words({'logits': jax.ShapeDtypeStruct((8, 10), 'float32')})
    'logits float32 [8, 10]'
    """
    return ', '.join(f'{name} {array.dtype} {list(array.shape)}' for name, array in arrays.items()) or 'none'


def check_arrays(hook: str, arrays: Any, rows: int) -> None:
    """Raises `UserError` unless a hook returns arrays by name, each with a row for each example.

    Args:
      hook: the words for the hook.
      arrays: what it returned.
      rows: number of examples in the batch.
    """
    if not isinstance(arrays, Mapping):
        raise UserError(
            f'{hook} returns {kind_of(arrays)}, but arrays by name are needed, such as '
            "{'values': values}, each [B, ...]."
        )
    for name, array in arrays.items():
        if problem := _problem(name, array, rows):
            raise UserError(f'{hook} {problem}')


def _problem(name: Any, array: Any, rows: int) -> str:
    """Returns what is wrong with an array, '' if nothing is."""
    if not isinstance(name, str):
        return f'gives an array the name {name!r}. Names are text.'
    if not hasattr(array, 'dtype') or not hasattr(array, 'shape'):
        advice = 'Return its arrays one by one, each under a name of its own.'
        return f'returns {kind_of(array)} as {name!r}, but an array [B, ...] is needed. {advice}'
    if jnp.issubdtype(array.dtype, jax.dtypes.extended):
        return f'returns random keys as {name!r}, which cannot be saved. Leave them out.'
    if array.shape[:1] != (rows,):
        return (
            f'returns {name!r} of the shape {list(array.shape)}, but its first axis must be that of the '
            f'{rows} examples in the batch: [{rows}, ...].'
        )
    return ''


def check_metrics(hook: str, metrics: Any) -> None:
    """Raises `UserError` unless a hook returns metrics by name, as `interfaces.average` makes them."""
    if not isinstance(metrics, Mapping):
        raise UserError(
            f'{hook} returns {kind_of(metrics)}, but metrics by name are needed, such as '
            "{'loss': average(losses)}."
        )
    for name, metric in metrics.items():
        if not isinstance(name, str) or not name:
            raise UserError(f'{hook} gives a metric the name {name!r}. Names are text.')
        if name in RESERVED_METRICS:
            raise UserError(f'{hook} returns the metric {name!r}, a name that the logs use. Rename it.')
        if not hasattr(metric, 'total') or not hasattr(metric, 'count'):
            raise UserError(
                f'{hook} returns {kind_of(metric)} as the metric {name!r}, but a sum and a count are needed: '
                'use `interfaces.average(values, batch.get("valid"))`.'
            )
