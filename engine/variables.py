"""Finds, separates and joins variables of a model by their paths, such as 'encoder/stages/0/kernel'.

A tree of variables is nested dicts of arrays. A path joins the keys of its dicts by slashes.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

import jax

from engine.errors import UserError, did_you_mean, nearest

Tree = dict[Any, Any]


def by_path(tree: Any) -> dict[str, Any]:
    """Returns the leaves of a tree by their paths.

    >>> by_path({'output': {'bias': 1, 'kernel': 2}})
    {'output/bias': 1, 'output/kernel': 2}
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator='/'): leaf for path, leaf in leaves}


def matching(patterns: Iterable[str], paths: Collection[str], setting: str) -> frozenset[str]:
    """Returns the paths in which any of the patterns is found.

    >>> sorted(matching(['^encoder/', 'bias$'], ['encoder/kernel', 'head/bias', 'head/kernel'], 'frozen'))
    ['encoder/kernel', 'head/bias']

    Args:
      patterns: regular expressions; `^encoder/` matches all variables of the module `encoder`.
      paths: of all variables.
      setting: name of the setting that holds the patterns, for the message.

    Raises:
      UserError: a pattern is not a regular expression, or is found in no path.
    """
    return frozenset().union(*(_matching(pattern, paths, setting) for pattern in patterns))


def _matching(pattern: str, paths: Collection[str], setting: str) -> frozenset[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UserError(f'{setting}: {pattern!r} is not a regular expression: {error}.') from error
    found = frozenset(path for path in paths if expression.search(path))
    if not found:
        raise UserError(f'{setting}: {pattern!r} matches no variable. {suggestion(pattern, paths)}')
    return found


def suggestion(pattern: str, paths: Collection[str]) -> str:
    """Returns a sentence that suggests the variables nearest to a pattern, or else the nearest module.

    >>> suggestion('^encode/', ['encoder/stages/0/kernel', 'head/bias'])
    "Did you mean 'encoder/'?"
    """
    text = re.sub(r'[\\^$.*+?()|]', '', pattern)
    modules = {path[: end + 1] for path in paths for end, letter in enumerate(path) if letter == '/'}
    if not nearest(text, paths) and (near := nearest(text, modules)):
        return f'Did you mean {near[0]!r}?'
    return did_you_mean(text, paths)


def separated(tree: Mapping[Any, Any], paths: Collection[str], parent: str = '') -> tuple[Tree, Tree]:
    """Separates some variables of a tree from the others.

    >>> separated({'encoder': {'bias': 1, 'kernel': 2}, 'head': {'bias': 3}}, ['encoder/bias', 'head/bias'])
    ({'encoder': {'bias': 1}, 'head': {'bias': 3}}, {'encoder': {'kernel': 2}})

    Args:
      tree: the variables.
      paths: of those to separate.
      parent: path of the tree itself, with a slash at its end.

    Returns:
      The tree of the variables at the paths, and the tree of the others, both without empty dicts.
    """
    chosen: Tree = {}
    others: Tree = {}
    for key, value in tree.items():
        path = f'{parent}{key}'
        if isinstance(value, Mapping):
            pair = separated(value, paths, f'{path}/')
        else:
            pair = (value, {}) if path in paths else ({}, value)
        for target, part in zip((chosen, others), pair, strict=True):
            if not isinstance(part, Mapping) or part:
                target[key] = part
    return chosen, others


def joined(tree: Mapping[Any, Any], other: Mapping[Any, Any]) -> Tree:
    """Returns the variables of two trees as one tree. Where both trees have a variable, `other` wins.

    >>> joined({'encoder': {'bias': 1, 'kernel': 2}}, {'encoder': {'bias': 3}, 'head': {'bias': 4}})
    {'encoder': {'bias': 3, 'kernel': 2}, 'head': {'bias': 4}}
    """
    result = dict(tree)
    for key, value in other.items():
        is_inner = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = joined(result[key], value) if is_inner else value
    return result


class VariableSource(Protocol):
    """Trained variables that a training starts from: `Trainer.init_from`.

    `shapes` is a dict of `params` and `model_state`: nested dicts of shapes, dtypes and shardings.
    Only a training that begins at step 0 asks for the source.
    """

    def check(self, shapes: Tree) -> str:
        """Compares names and shapes with those of the model, reads no arrays, and returns a table for people.

        Raises:
          UserError: the source cannot be read, or does not fit the model.
        """
        ...

    def load(self, shapes: Tree) -> Tree:
        """Returns `params` and `model_state` with the loaded arrays alone, each in its sharding."""
        ...

    def origin(self) -> dict[str, Any]:
        """Returns what environment.json records of the source, `sha256` among it."""
        ...
