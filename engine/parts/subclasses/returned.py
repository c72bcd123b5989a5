"""Checks what the hooks of a supervised task return, so that a message names the hook and what it needs."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from engine import errors
from engine.errors import UserError, kind_of
from engine.interfaces import INDEX, VALID, Batch, Description, State
from engine.variables import by_path


def batch(task: Any, hook: str, result: Any, given: Batch) -> Batch:
    """Returns the batch that a hook made of a given one; raises `UserError` if it is none."""
    where, advice = _named(task, hook), 'Return the batch with what changes: `{**batch, ...}`.'
    if not isinstance(result, Mapping):
        raise UserError(f'{where} returns {kind_of(result)}, but a dict of arrays is needed. {advice}')
    for name in (INDEX, VALID):
        if name in given and name not in result:
            raise UserError(f'{where} leaves out {name!r}, which the engine needs. {advice}')
    return result


def metrics(task: Any, result: Any, rows: int) -> dict[str, Any]:
    """Returns the metrics of each example; raises `UserError` unless they can be summed and differentiated.

    Args:
      task: the task.
      result: what its `per_example` returned.
      rows: number of examples in the batch.
    """
    where = _named(task, 'per_example')
    if not isinstance(result, Mapping) or 'loss' not in result:
        names = f'only {", ".join(map(str, result))}' if isinstance(result, Mapping) else kind_of(result)
        raise UserError(f"{where} returns {names}, but metrics by name are needed, among them 'loss'.")
    for name, value in result.items():
        is_pair = isinstance(value, tuple) and len(value) == 2 and name != 'loss'
        arrays: tuple[Any, ...] = value if is_pair else (value,)
        for array in arrays:
            if getattr(array, 'shape', ())[:1] != (rows,):
                shape = f'the shape {list(array.shape)}' if hasattr(array, 'shape') else kind_of(array)
                pair = '' if name == 'loss' else ', or a pair of values and counts'
                raise UserError(
                    f'{where} returns {name!r} as {shape}, but a number for each of the {rows} examples is '
                    f'needed: [{rows}]{pair}. The engine averages.'
                )
    if not jnp.issubdtype(result['loss'].dtype, jnp.floating):
        raise UserError(f"{where} returns 'loss' as {result['loss'].dtype}, which has no gradient.")
    return dict(result)


def params(task: Any, result: Any, needed: Any) -> State:
    """Returns the parameters to evaluate; raises `UserError` unless they are those of the network.

    Args:
      task: the task.
      result: what its `evaluation_params` returned.
      needed: shapes of the parameters of the network.
    """
    given, wanted = by_path(result), by_path(needed)
    for path in [*wanted, *given]:
        found, shape = given.get(path), getattr(wanted.get(path), 'shape', None)
        if path not in given or path not in wanted or getattr(found, 'shape', None) != shape:
            problem = (
                'lacks' if path not in given else 'adds' if path not in wanted else 'has another shape of'
            )
            raise UserError(
                f'{_named(task, "evaluation_params")} {problem} {path!r}. The network needs a tree like '
                "state['params'], with all of its parameters."
            )
    return result


def description(task: Any, result: Any) -> Description:
    """Returns what `describe` returned; raises `UserError` if it is no `Description`."""
    if isinstance(result, Description):
        return result
    raise UserError(
        f'{_named(task, "describe")} returns {kind_of(result)}, but an `interfaces.Description` is needed.'
    )


def _named(task: Any, hook: str) -> str:
    """Returns the words for a hook, with its place: `per_example() of Mine (research/tasks/mine.py:12)`."""
    place = errors.function_place(getattr(type(task), hook))
    return f'{hook}() of {type(task).__name__}' + (f' ({place})' if place else '')
