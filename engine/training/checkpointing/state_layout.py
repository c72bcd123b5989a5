"""Compares the arrays of a stored state with those of the present code. Orbax would cast them or crash."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from engine.errors import UserError, nearest
from engine.stored_trees import tree
from engine.variables import by_path

PARAMS, OPT_STATE = 'params/', 'opt_state'
MAX_LINES = 8  # of a message

Layout = Mapping[str, str]  # dtype and shape by path, such as {'params/output/bias': 'float32 [10]'}


def of_state(shapes: Any) -> dict[str, str]:
    """Returns the layout of a state, or of its shapes.

    >>> import numpy as np
    >>> of_state({'params': {'layers': [np.zeros((2, 3), np.float32)]}})
    {'params/layers/0': 'float32 [2, 3]'}
    """
    return _named(by_path(jax.tree.map(lambda leaf: jax.eval_shape(_without_key_type, leaf), shapes)))


def check_same(folder: Path, shapes: Any, is_part: bool = False) -> None:
    """Raises `UserError` that names the arrays in which a checkpoint differs from the present state.

    Args:
      folder: of the checkpoint of a step.
      shapes: the state that the present code makes, as shapes and dtypes.
      is_part: whether they are only a part of it, with all parameters.
    """
    stored, present = _named(tree.stored_shapes(folder / tree.ITEM)), of_state(shapes)
    if is_part:
        stored = {path: each for path, each in stored.items() if path in present or path.startswith(PARAMS)}
    lines = differences(stored, present)
    if not lines:
        return
    more = [f'and {len(lines) - MAX_LINES} more'] if len(lines) > MAX_LINES else []
    text = '\n'.join(f'  {line}' for line in [*lines[:MAX_LINES], *more])
    raise UserError(
        f'the checkpoint {folder} does not fit the model, task or optimizer of the present code and config:\n'
        f'{text}\nUse the code and the config with which the run was trained, or begin a new run.'
    )


def _named(shapes: Mapping[str, Any]) -> dict[str, str]:
    return {path: f'{leaf.dtype} {list(leaf.shape)}' for path, leaf in shapes.items()}


def _without_key_type(leaf: Any) -> Any:
    """Returns the integers of a random key, as Orbax stores it; any other array as it is."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def differences(stored: Layout, present: Layout) -> list[str]:
    """Returns a line for each difference, parameters first; one line for the state of another optimizer."""
    stored, present = _without_consequences(stored, present), _without_consequences(present, stored)
    optimizers = _optimizer_names(stored), _optimizer_names(present)
    arranged_alike = {path for path in stored if _is_optimizer(path)} == {
        path for path in present if _is_optimizer(path)
    }
    if arranged_alike:
        return _lines(stored, present)
    line = f'{OPT_STATE}: stored by another optimizer, with {optimizers[0]}; now with {optimizers[1]}'
    return [*_lines(_without_optimizer(stored), _without_optimizer(present)), line]


def _lines(stored: Layout, present: Layout) -> list[str]:
    gone = [path for path in stored if path not in present]
    new = [path for path in present if path not in stored]
    renamed = _renamed({path: stored[path] for path in gone}, {path: present[path] for path in new})
    lines = {
        path: f'{path}: stored as {layout}, now {present[path]}'
        for path, layout in stored.items()
        if present.get(path, layout) != layout
    }
    for path in gone:
        hint = f'. Is it now {renamed[path]}?' if path in renamed else ''
        lines[path] = f'{path}: stored as {stored[path]}, now missing{hint}'
    for path in new:
        if path not in renamed.values():
            lines[path] = f'{path}: not stored, now {present[path]}'
    return [lines[path] for path in sorted(lines, key=lambda path: (not path.startswith(PARAMS), path))]


def _renamed(gone: Layout, new: Layout) -> dict[str, str]:
    """Returns new paths by old ones: of the same dtype and shape, with the nearest name."""
    renamed: dict[str, str] = {}
    for path, layout in gone.items():
        rivals = [other for other in new if new[other] == layout and other not in renamed.values()]
        if rivals:
            renamed[path] = next(iter(nearest(path, rivals)), rivals[0])
    return renamed


def _without_consequences(layout: Layout, other: Layout) -> dict[str, str]:
    """Leaves out moments and averages that differ only because their parameters do."""
    causes = {
        path.removeprefix(PARAMS)
        for path in layout.keys() | other.keys()
        if path.startswith(PARAMS) and layout.get(path) != other.get(path)
    }
    return {
        path: value
        for path, value in layout.items()
        if path.startswith(PARAMS) or causes.isdisjoint(_endings(path))
    }


def _is_optimizer(path: str) -> bool:
    return path.startswith(f'{OPT_STATE}/')


def _without_optimizer(layout: Layout) -> dict[str, str]:
    return {path: value for path, value in layout.items() if not _is_optimizer(path)}


def _optimizer_names(layout: Layout) -> str:
    """Returns the names of an optimizer's arrays without the paths of parameters: '0/count, 0/mu, 0/nu'."""
    parameters = {ending for path in layout if path.startswith(PARAMS) for ending in _endings(path)}
    names = set()
    for path in filter(_is_optimizer, layout):
        ending = next((ending for ending in _endings(path) if ending in parameters), '')
        names.add(path.removesuffix(f'/{ending}').removeprefix(f'{OPT_STATE}/'))
    return ', '.join(sorted(names)) or 'no arrays'


def _endings(path: str) -> list[str]:
    """Returns the path without its first part, without its first two, and so on."""
    parts = path.split('/')
    return ['/'.join(parts[start:]) for start in range(1, len(parts))]
