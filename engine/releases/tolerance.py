"""How closely a prediction can be repeated: by the least precise numbers that it computes with."""

from collections.abc import Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr

from engine.releases import equations
from engine.releases.difference import Difference

_UNITS = 4  # in the last place of the largest number of an array, by which numbers may differ
_PRODUCTS = ('dot_general', 'conv_general_dilated')
# What accelerators round the inputs of float32 products to, unless JAX's precision is 'highest'.
_ROUNDED = {'gpu': ('tensorfloat32', 2.0**-10), 'tpu': ('bfloat16', 2.0**-7)}


@dataclass(frozen=True)
class Tolerance:
    """How much predictions may differ.

    Attributes:
      floats: the largest difference of floats, as a share of the largest value of an array, and of 1 where
        all are smaller.
      others: the largest share of integers or booleans that are not equal.
      precision: the least precise numbers that the program computes with.
    """

    floats: float
    others: float
    precision: str

    def accepts(self, difference: Difference) -> bool:
        """Whether arrays may differ so much."""
        return difference.share <= (self.floats if difference.of_floats else self.others)

    @property
    def is_exact(self) -> bool:
        """Whether the program computes in float32 or better."""
        return self.floats <= FLOAT32.floats

    @property
    def of_other_batches(self) -> 'Tolerance':
        """The tolerance between batches of different sizes, which XLA computes in another order."""
        return (
            Tolerance(1e-3, 1e-2, self.precision) if self.is_exact else Tolerance(0.25, 1.0, self.precision)
        )


EQUAL = Tolerance(0.0, 0.0, '')
FLOAT32 = Tolerance(1e-6, 1e-4, 'float32')


def of_program(program: jax.stages.Traced, platform: str) -> Tolerance:
    """Returns the tolerance for the results of a program.

    >>> of_program(jax.jit(lambda x: x + 1).trace(jnp.ones(3)), 'cpu').floats
    1e-06
    >>> of_program(jax.jit(lambda x: 2 * x.astype(jnp.bfloat16)).trace(jnp.ones(3)), 'cpu').floats
    0.03125

    Args:
      program: the traced prediction.
      platform: what it runs on: 'cpu', 'gpu' or 'tpu'.
    """
    found = dict(_spacings(program.jaxpr.jaxpr, platform))
    precision = max(found, key=lambda name: found[name], default='float32')
    spacing = found.get(precision, 0.0)
    if spacing <= float(jnp.finfo(jnp.float32).eps):
        return FLOAT32
    return Tolerance(min(_UNITS * spacing, 2.0**-4), 5e-2, precision)


def _spacings(jaxpr: Jaxpr, platform: str) -> Iterator[tuple[str, float]]:
    """Yields the names of all types of floats in a program, and the distance from 1 to the next number."""
    for equation in equations.of_program(jaxpr):
        for var in (*equation.invars, *equation.outvars):
            dtype = getattr(var.aval, 'dtype', None)
            if dtype is not None and jnp.issubdtype(dtype, jnp.floating):
                yield str(dtype), float(jnp.finfo(dtype).eps)
        if equation.primitive.name in _PRODUCTS and 'HIGHEST' not in str(equation.params.get('precision')):
            yield from [_ROUNDED[platform]] if platform in _ROUNDED else []
