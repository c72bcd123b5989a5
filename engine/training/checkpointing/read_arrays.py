"""The arrays of a state that a program reads, found in the program itself."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
from jax.extend.core import Jaxpr, Literal

from engine.variables import by_path


def paths(program: jax.stages.Traced, state: Any) -> frozenset[str]:
    """Returns the paths of the arrays that a program reads from its first argument, a state.

    >>> state = {'params': 2.0, 'momentum': 1.0}
    >>> sorted(paths(jax.jit(lambda state: 3 * state['params']).trace(state), state))
    ['params']

    Args:
      program: a traced function.
      state: the state, or its shapes.
    """
    names = list(by_path(state))
    jaxpr = program.jaxpr.jaxpr
    read = _read(jaxpr, [True] * len(jaxpr.outvars))
    return frozenset(name for name, is_read in zip(names, read, strict=False) if is_read)


def _read(jaxpr: Jaxpr, wanted: Sequence[bool]) -> list[bool]:
    """Returns which inputs of a program the wanted ones of its outputs depend on."""
    needed = {var for var, is_wanted in zip(jaxpr.outvars, wanted, strict=True) if is_wanted and _is_var(var)}
    for equation in reversed(jaxpr.eqns):
        outputs = [var in needed for var in equation.outvars]
        if any(outputs) or equation.effects:
            needed |= {var for var in _inputs(equation, outputs) if _is_var(var)}
    return [var in needed for var in jaxpr.invars]


def _inputs(equation: Any, outputs: Sequence[bool]) -> Iterable[Any]:
    """Returns the inputs of an equation that its wanted outputs depend on; all of them if that is unknown."""
    inner = equation.params.get('jaxpr')
    inner = getattr(inner, 'jaxpr', inner)  # without its constants
    is_loop = equation.primitive.name == 'scan'  # an output may depend on all that the iteration before read
    if inner is None or is_loop or len(inner.invars) != len(equation.invars):
        return equation.invars
    return [var for var, is_read in zip(equation.invars, _read(inner, outputs), strict=True) if is_read]


def _is_var(var: Any) -> bool:
    return not isinstance(var, Literal)
