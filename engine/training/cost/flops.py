"""Floating-point operations of a training step, counted before it runs.

XLA counts them (`Lowered.cost_analysis`). Three things it leaves out are added here, by formula:

- XLA counts the body of a loop once, however often it runs. The products of its other turns are added:
  matrix products and convolutions, which are nearly all of a network. Elementwise operations are not.
- XLA does not count calls of libraries. Those of cuDNN's attention are: each of its matrix products counts
  2 B N T S H operations (batch, heads, queries, keys, width); forward takes two products, backward four.
  Masked products count too, as they do in attention written out. What backward recomputes does not count.
- XLA counts a program over several devices as a whole, unless each device has a program of its own.

The count is made from the program before it is compiled: there every product is plain, while a compiled one
calls libraries for most of them. Layers that are recomputed (`remat`) count twice.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from math import prod

import jax
import numpy as np

from engine.training.cost import hlo
from engine.training.cost.hlo import Computation, Operation, Program

ATTENTION = '__cudnn$fmha'
# Calls that compute nothing that counts: placement of arrays and random numbers.
_NOT_COUNTED = re.compile(r'Sharding|SPMD\w+|xla\.sdy\..*|LayoutConstraint|annotate_\w+|.*threefry.*')
_NAMES = {'bf16': 'bfloat16', 'f16': 'float16', 'f64': 'float64', 's8': 'int8', 'u8': 'int8'}


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of a step on one device.

    Attributes:
      by_xla: those that XLA counts.
      by_formula: those added here.
      products: the matrix products and convolutions among all of these, by the type that they compute in:
        'bfloat16', 'float16', 'float8', 'int8', 'float64'; 'tensorfloat32' stands for float32 in JAX's
        default precision, 'float32' for float32 in its highest one.
      uncounted: calls of libraries that nobody counts, by name.
      endless: number of loops whose length only running them tells; they count once.
    """

    by_xla: float
    by_formula: float
    products: dict[str, float] = field(default_factory=dict)
    uncounted: dict[str, int] = field(default_factory=dict)
    endless: int = 0

    @property
    def total(self) -> float:
        """All of them."""
        return self.by_xla + self.by_formula

    @property
    def by_type(self) -> dict[str, float]:
        """All of them, by type; what is no product counts with the type of most products."""
        if not self.products:
            return {'float32': self.total}
        main = max(self.products, key=lambda name: self.products[name])
        return {**self.products, main: self.products[main] + self.total - sum(self.products.values())}

    def notes(self) -> list[str]:
        """Returns what the count leaves out, a sentence each."""
        calls = ', '.join(f'{name} ({count})' for name, count in self.uncounted.items())
        left_out = [f'Not counted: calls of {calls}.'] if calls else []
        loops = f'Counted once: {self.endless} loops whose length is known only when they run.'
        return left_out + ([loops] if self.endless else [])


def flops_per_step(lowered: jax.stages.Lowered, count: int = 1) -> Flops:
    """Counts the operations of a training step on one device.

    Args:
      lowered: the program, such as `jax.jit(step).lower(state, batch)`.
      count: the number of steps that it runs.

    >>> import jax.numpy as jnp
    >>> flops_per_step(jax.jit(jnp.dot).lower(jnp.ones((2, 3)), jnp.ones((3, 5)))).total
    60.0
    """
    module = lowered.compiler_ir('hlo')
    assert module is not None  # every program of XLA has one
    program = hlo.parse(module.as_hlo_text())
    work = _Counter(program).work(program.entry)
    calls = sum(1 for each in program.computations.values() for _ in each.of('custom-call'))
    analysis = lowered.cost_analysis() or {}
    by_xla = max(0.0, analysis.get('flops', 0.0) + calls)  # XLA counts each of these calls as -1
    share = 1 / count / (1 if _has_program_per_device(program) else _devices(lowered))
    return Flops(
        by_xla=by_xla * share,
        by_formula=(work.repeated + sum(work.calls.values())) * share,
        products={name: value * share for name, value in (work.products + work.calls).items()},
        uncounted=dict(work.uncounted),
        endless=work.endless,
    )


def _devices(lowered: jax.stages.Lowered) -> int:
    """Returns the number of devices that share the work of a program."""
    attributes = lowered.compiler_ir('stablehlo').operation.attributes  # type: ignore[union-attr]
    name = 'mhlo.num_partitions'
    return int(attributes[name].value) if name in attributes else 1


def _has_program_per_device(program: Program) -> bool:
    """Whether shapes are those of one device, as in `shard_map` and `jax.pmap`."""
    calls = (call for each in program.computations.values() for call in each.of('custom-call'))
    targets = {_target(call) for call in calls}
    return bool(targets & {'xla.sdy.GlobalToLocalShape', 'SPMDFullToShardShape'})


def _target(call: Operation) -> str:
    match = re.search(r'custom_call_target="([^"]*)"', call.rest)
    return match[1] if match else ''


@dataclass
class _Work:
    """What a computation does.

    Attributes:
      products: operations of its products, by type.
      calls: operations of calls counted by formula, by type.
      uncounted: other calls, by name.
      repeated: operations of products in later turns of loops.
      endless: number of loops of unknown length.
    """

    products: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    uncounted: Counter[str] = field(default_factory=Counter)
    repeated: float = 0
    endless: int = 0

    @property
    def total(self) -> float:
        return sum(self.products.values()) + sum(self.calls.values())

    def add(self, other: '_Work', turns: int = 1) -> None:
        """Adds what another computation does in some turns."""
        for mine, theirs in ((self.products, other.products), (self.calls, other.calls)):
            for name, value in theirs.items():
                mine[name] += value * turns
        for name, number in other.uncounted.items():
            self.uncounted[name] += number * turns
        # XLA has counted each product of the other once.
        counted = sum(other.products.values()) - other.repeated
        self.repeated += sum(other.products.values()) * turns - counted
        self.endless += other.endless


class _Counter:
    """Counts the work of computations, each once."""

    def __init__(self, program: Program):
        self._program = program
        self._known: dict[str, _Work] = {}

    def work(self, name: str) -> _Work:
        """Returns the work of a computation."""
        if name not in self._known:
            computation, work = self._program.computations[name], _Work()
            for operation in computation.operations.values():
                self._add(work, computation, operation)
            self._known[name] = work
        return self._known[name]

    def _add(self, work: _Work, where: Computation, operation: Operation) -> None:
        match operation.opcode:
            case 'dot':
                work.products[_type(where, operation)] += _dot(where, operation)
            case 'convolution':
                work.products[_type(where, operation)] += _convolution(where, operation)
            case 'while':
                turns = self._program.turns(where, operation)
                work.endless += turns is None
                work.add(self.work(operation.attribute('body')), 1 if turns is None else turns)
            case 'call' | 'fusion':
                work.add(self.work(operation.attribute('to_apply') or operation.attribute('calls')))
            case 'conditional':
                work.add(max(map(self.work, _branches(operation)), key=lambda branch: branch.total))
            case 'custom-call':
                _add_call(work, where, operation)


def _branches(operation: Operation) -> list[str]:
    if several := operation.attribute('branch_computations'):
        return [name.strip().lstrip('%') for name in several.split(',')]
    return [operation.attribute(f'{which}_computation') for which in ('true', 'false')]


def _add_call(work: _Work, where: Computation, call: Operation) -> None:
    target = _target(call)
    if target.startswith(ATTENTION):
        query = where.operations[call.operands[0]]
        matrix = re.search(r'"intermediate_tensor_shape":.*?"dimensions": ?\[([^\]]*)\]', call.rest)
        sizes = [int(number) for number in re.findall(r'\d+', matrix[1])] if matrix else []
        products = 4 if 'Backward' in target else 2
        dtype = 'float8' if 'F8' in target else _NAMES.get(query.dtype, 'float32')
        work.calls[dtype] += products * 2 * prod(sizes) * query.shape[-1]
    elif not _NOT_COUNTED.fullmatch(target):
        work.uncounted[target] += 1


def _type(where: Computation, product: Operation) -> str:
    """Returns the type that a product computes in."""
    dtype = where.operations[product.operands[0]].dtype
    if algorithm := re.search(r'algorithm=dot_(bf16|tf32|f16|f32|f64)', product.rest):
        return {'tf32': 'tensorfloat32', 'f32': 'float32'}.get(algorithm[1]) or _NAMES[algorithm[1]]
    if dtype == 'f32':
        return 'float32' if 'highest' in product.attribute('operand_precision') else 'tensorfloat32'
    return 'float8' if dtype.startswith('f8') else _NAMES.get(dtype, 'float32')


def _dot(where: Computation, dot: Operation) -> int:
    left = where.operations[dot.operands[0]]
    contracted = [left.shape[axis] for axis in hlo.numbers(dot.attribute('lhs_contracting_dims'))]
    return 2 * prod(dot.shape) * prod(contracted)


def _convolution(where: Computation, operation: Operation) -> int:
    """Counts as XLA does: products with padding, and with the holes of a dilated input, do not count."""
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
