"""Operations of single matrix products and convolutions, and the types that they compute in."""

import re
from dataclasses import dataclass
from math import prod

import numpy as np

from engine.training.cost import hlo
from engine.training.cost.hlo import Computation, Operation

NAMES = {'bf16': 'bfloat16', 'f16': 'float16', 'f64': 'float64', 's8': 'int8', 'u8': 'int8'}


def dtype(where: Computation, product: Operation) -> str:
    """Returns the type that a product computes in."""
    name = where.operations[product.operands[0]].dtype
    if algorithm := re.search(r'algorithm=dot_(bf16|tf32|f16|f32|f64)', product.rest):
        return {'tf32': 'tensorfloat32', 'f32': 'float32'}.get(algorithm[1]) or NAMES[algorithm[1]]
    if name == 'f32':
        return 'float32' if 'highest' in product.attribute('operand_precision') else 'tensorfloat32'
    return 'float8' if name.startswith('f8') else NAMES.get(name, 'float32')


def dot(where: Computation, operation: Operation) -> int:
    """Returns the number of operations of a matrix product."""
    left = where.operations[operation.operands[0]]
    contracted = [left.shape[axis] for axis in hlo.numbers(operation.attribute('lhs_contracting_dims'))]
    return 2 * prod(operation.shape) * prod(contracted)


def convolution(where: Computation, operation: Operation) -> int:
    """Returns the number of operations of a convolution.

    As in XLA, products with padding and with the holes of a dilated input do not count.
    """
    inputs, kernel = (where.operations[name] for name in operation.operands[:2])
    labels = re.search(r'dim_labels=(\w+)_(\w+)->(\w+)', operation.rest)
    assert labels  # every convolution has them
    window = _Window.parse(operation.attribute('window'))
    spatial = [label for label in labels[3] if label.isdigit()]
    hits = [
        window.hits(
            axis,
            inputs.shape[labels[1].index(label)],
            kernel.shape[labels[2].index(label)],
            operation.shape[labels[3].index(label)],
        )
        for axis, label in enumerate(sorted(spatial))
    ]
    batch = inputs.shape[labels[1].index('b')] // int(operation.attribute('batch_group_count') or 1)
    channels = kernel.shape[labels[2].index('i')] * operation.shape[labels[3].index('f')]
    return 2 * batch * channels * prod(hits)


@dataclass(frozen=True)
class _Window:
    """The window of a convolution, by spatial axis; () stands for the usual value."""

    stride: list[int]
    lhs_dilate: list[int]
    rhs_dilate: list[int]
    padding: list[int]

    @classmethod
    def parse(cls, text: str) -> '_Window':
        """Returns a window as in 'size=3x3 stride=2x2 pad=0_1x0_1'."""
        parts = dict(part.split('=') for part in text.split())
        sizes = {
            name: [int(number.partition('_')[0]) for number in values.split('x')]
            for name, values in parts.items()
        }
        return cls(*(sizes.get(name, []) for name in ('stride', 'lhs_dilate', 'rhs_dilate', 'pad')))

    def hits(self, axis: int, size: int, kernel: int, out: int) -> int:
        """Returns how many pairs of places, of output and kernel, meet a number of the input."""
        stride, left, right = (
            values[axis] if values else 1 for values in (self.stride, self.lhs_dilate, self.rhs_dilate)
        )
        start = self.padding[axis] if self.padding else 0
        place = np.arange(out)[:, None] * stride + np.arange(kernel) * right - start
        return int(((place >= 0) & (place <= (size - 1) * left) & (place % left == 0)).sum())
