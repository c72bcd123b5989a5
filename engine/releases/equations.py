"""The equations of a traced program, with those inside of its loops, branches and functions."""

from collections.abc import Iterator, Mapping
from typing import Any

from jax.extend.core import Jaxpr


def of_program(jaxpr: Jaxpr) -> Iterator[Any]:
    """Yields all equations of a program.

    >>> import jax
    >>> traced = jax.jit(lambda x: jax.lax.map(jax.numpy.sin, x)).trace(jax.numpy.ones(3))
    >>> 'sin' in [equation.primitive.name for equation in of_program(traced.jaxpr.jaxpr)]
    True
    """
    for equation in jaxpr.eqns:
        yield equation
        for inner in _inner(equation.params):
            yield from of_program(inner)


def _inner(params: Mapping[str, Any]) -> Iterator[Jaxpr]:
    """Yields the programs among the parameters of an equation, such as the body of a loop."""
    for value in params.values():
        for part in value if isinstance(value, (tuple, list)) else (value,):
            jaxpr = getattr(part, 'jaxpr', part)  # without its constants
            if isinstance(jaxpr, Jaxpr):
                yield jaxpr
