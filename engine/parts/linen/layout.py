"""The paths of Linen variables in the tree of a model: by module, not by collection."""

from collections.abc import Collection, Mapping
from itertools import accumulate, count
from typing import Any

import jax

PARAMS = 'params'
Path = tuple[str, ...]


class Layout:
    """Where each variable of a Linen module is in the model: `params/Dense_0/kernel` at `Dense_0/kernel`.

    Where a variable of another collection would meet a parameter, it is found below the name of its
    collection: `cache/Dense_0/kernel`.

    Args:
      variables: the variables by collection, as `Module.init` returns them.
    """

    def __init__(self, variables: Mapping[str, Any]):
        leaves, self._structure = jax.tree_util.tree_flatten_with_path(variables)
        names = [_name(path) for path, _ in leaves]
        self.collections = [name[0] for name in names]
        self.paths = _paths(names)

    def flat(self, variables: Mapping[str, Any]) -> list[Any]:
        """Returns the values of all variables, in the order of `paths`."""
        return self._structure.flatten_up_to(variables)

    def nested(self, values: Collection[Any]) -> dict[str, Any]:
        """Returns the variables by collection, from their values in the order of `paths`."""
        return jax.tree.unflatten(self._structure, values)


def _name(path: Any) -> Path:
    """Returns collection and path of a variable. A name such as 'kernel/u' counts as two."""
    return tuple(jax.tree_util.keystr(path, simple=True, separator='/').split('/'))


def _paths(names: Collection[Path]) -> list[Path]:
    """Returns the place of each variable, without a clash of two."""
    paths: dict[Path, Path] = {}
    taken: set[Path] = set()
    for name in sorted(names, key=lambda name: name[0] != PARAMS):
        candidates = ((name[0],) * repeats + name[1:] for repeats in count())
        paths[name] = next(path for path in candidates if path not in taken and not _below(path, paths))
        taken |= set(_modules(paths[name]))
    return [paths[name] for name in names]


def _below(path: Path, paths: Mapping[Path, Path]) -> bool:
    return not set(_modules(path)).isdisjoint(paths.values())


def _modules(path: Path) -> list[Path]:
    """Returns the path and the paths of all modules around it, the root apart."""
    return list(accumulate((name,) for name in path))
