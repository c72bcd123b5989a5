"""Floating-point operations of a training step, counted before it runs.

XLA counts them (`Lowered.cost_analysis`). Its count is corrected here, by formula:

- XLA counts the body of a loop once, however often it runs. The matrix products and convolutions of the
  other iterations are added. They are nearly all operations of a network. Elementwise ones are not added.
- XLA does not count library calls. Those of cuDNN's attention are added: each of its matrix products counts
  2 B N T S H operations (batch, heads, queries, keys, width), two products forward and four backward.
  Masked products count, as in attention written out. What the backward pass recomputes does not count.
- XLA counts a program over several devices as a whole, unless each device has a program of its own. The
  count is divided by the number of devices.

The program is counted before it is compiled: it then states every product, while a compiled program calls
libraries for most of them. Layers that are recomputed (`remat`) count twice.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from math import prod

import jax

from engine.training.cost import hlo, products
from engine.training.cost.hlo import Computation, Operation, Program

ATTENTION = '__cudnn$fmha'
# Calls that compute nothing that counts: placement of arrays and random numbers.
_NOT_COUNTED = re.compile(r'Sharding|SPMD\w+|xla\.sdy\..*|LayoutConstraint|annotate_\w+|.*threefry.*')


@dataclass(frozen=True)
class Flops:
    """Floating-point operations of a step on one device.

    Attributes:
      by_xla: those that XLA counts.
      by_formula: those added here.
      products: the matrix products and convolutions among all of these, by the type that they compute in:
        'bfloat16', 'float16', 'float8', 'int8', 'float64'; 'tensorfloat32' stands for float32 in JAX's
        default precision, 'float32' for float32 in its highest one.
      uncounted: library calls that are not counted, by name.
      endless: number of loops whose length is known only when they run; each counts once.
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
        """All of them, by type. Operations other than products count with the type of most products."""
        main = self.main_type
        rest = self.total - sum(self.products.values())
        return {**self.products, main: self.products.get(main, 0.0) + rest}

    @property
    def main_type(self) -> str:
        """The type of most products."""
        return max(self.products, key=lambda name: self.products[name], default='float32')

    def notes(self) -> list[str]:
        """Returns what the count leaves out, a sentence each."""
        calls = ', '.join(f'{name} ({count})' for name, count in self.uncounted.items())
        left_out = [f'Library calls that are not counted: {calls}.'] if calls else []
        loops = f'Loops counted once, because their length is known only when they run: {self.endless}.'
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
      repeated: operations of products in later iterations of loops.
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
        """Adds what another computation does in some iterations."""
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
                work.products[products.dtype(where, operation)] += products.dot(where, operation)
            case 'convolution':
                work.products[products.dtype(where, operation)] += products.convolution(where, operation)
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
        matrices = 4 if 'Backward' in target else 2
        dtype = 'float8' if 'F8' in target else products.NAMES.get(query.dtype, 'float32')
        work.calls[dtype] += matrices * 2 * prod(sizes) * query.shape[-1]
    elif not _NOT_COUNTED.fullmatch(target):
        work.uncounted[target] += 1
