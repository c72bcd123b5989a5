"""Names of variables: their paths, over parameters and model state together."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import jax

from engine.errors import UserError
from engine.interfaces import State
from engine.variables import by_path, separated, suggestion

Value = TypeVar('Value')
PARAMS, MODEL_STATE = 'params', 'model_state'


def by_name(params: Mapping[str, Value], model_state: Mapping[str, Value]) -> dict[str, Value]:
    """Returns parameters and model state by name. A path that both have means the parameter.

    >>> by_name({'norm/scale': 1}, {'norm/mean': 2, 'norm/scale': 3})
    {'norm/scale': 1, 'norm/mean': 2, 'model_state/norm/scale': 3}
    """
    others = {f'{MODEL_STATE}/{path}' if path in params else path: leaf for path, leaf in model_state.items()}
    return {**params, **others}


def of_model(variables: State) -> dict[str, Any]:
    """Returns the leaves of `params` and `model_state` by name."""
    return by_name(by_path(variables[PARAMS]), by_path(variables[MODEL_STATE]))


def as_trees(variables: State, chosen: Mapping[str, Any]) -> State:
    """Returns `params` and `model_state` with the chosen leaves alone.

    Args:
      variables: those of the model, whole.
      chosen: leaves by name.
    """
    params, model_state = (
        {path: (tree, path) for path in by_path(variables[tree])} for tree in (PARAMS, MODEL_STATE)
    )
    places, leaves = by_name(params, model_state), {PARAMS: {}, MODEL_STATE: {}}
    for name, leaf in chosen.items():
        tree, path = places[name]
        leaves[tree][path] = leaf
    return {tree: _filled(variables[tree], chosen) for tree, chosen in leaves.items()}


def _filled(tree: Any, leaves: Mapping[str, Any]) -> Any:
    """Returns the part of a tree that has leaves, with them."""
    part, _ = separated(tree, leaves)
    return jax.tree.unflatten(jax.tree.structure(part), [leaves[path] for path in by_path(part)])


def renamed(names: Iterable[str], pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    r"""Returns stored names by new names. Dots count as slashes.

    >>> renamed(['backbone.0.weight', 'fc.weight'], ((r'^backbone\.', 'encoder/'),))
    {'encoder/0/weight': 'backbone.0.weight', 'fc/weight': 'fc.weight'}

    Args:
      names: the stored names.
      pairs: regular expressions and their replacements, applied one after another.

    Raises:
      UserError: an expression is wrong or matches no name, or two names become one.
    """
    new = {name: name.replace('.', '/') for name in names}
    for pattern, replacement in pairs:
        new = _substituted(new, pattern, replacement)
    result: dict[str, str] = {}
    for name, path in new.items():
        if path in result:
            raise UserError(
                f'Pretrained.rename: {result[path]!r} and {name!r} of the source both become {path!r}.'
            )
        result[path] = name
    return result


def _substituted(new: Mapping[str, str], pattern: str, replacement: str) -> dict[str, str]:
    setting = f'Pretrained.rename: {pattern!r}'
    try:
        expression = re.compile(pattern.replace(r'\.', '/'))
        result = {name: expression.sub(replacement.replace('.', '/'), path) for name, path in new.items()}
    except (re.error, IndexError) as error:
        raise UserError(f'{setting}, {replacement!r} is not a substitution: {error}.') from error
    if not any(map(expression.search, new.values())):
        raise UserError(f'{setting} matches no name of the source. {suggestion(pattern, [*new.values()])}')
    return result
