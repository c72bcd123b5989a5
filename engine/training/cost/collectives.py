"""The collectives of a compiled program: what the devices exchange at each call, read from its text (HLO)."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from engine.training.cost import hlo
from engine.training.cost.hlo import Computation, Operation, Program
from engine.training.cost.size import written

KINDS = (
    *('all-reduce', 'all-gather', 'reduce-scatter', 'all-to-all', 'ragged-all-to-all'),
    *('collective-permute', 'collective-broadcast'),
)
_ARRAY = re.compile(r'\b([a-z]+\d*(?:e\d+m\d+\w*)?)\[([\d,]*)\]')
_CALLED = ('calls', 'to_apply', 'body', 'condition', 'called_computations', 'branch_computations')
_ENDS = ('async-update', 'async-done')
_COMMENT = re.compile(r'/\*.*?\*/')
_TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')


@dataclass(frozen=True)
class Collective:
    """The collectives of one kind in a program.

    Attributes:
      kind: such as 'all-reduce'.
      count: how many of them a call of the program runs.
      size: bytes of the arrays that one device exchanges in all of them. An array that is gathered or
        scattered counts as a whole.
      has_unknown_loop: whether some are in a loop of unknown length, which counts as one iteration.
    """

    kind: str
    count: int
    size: int
    has_unknown_loop: bool


def of_program(text: str) -> list[Collective]:
    """Returns the collectives of a compiled program, those in a loop once for each iteration.

    Args:
      text: the HLO of the program, as `Compiled.as_text` returns it.
    """
    counts, sizes, unknown = Counter[str](), Counter[str](), set[str]()
    for kind, size, times, is_known in _exchanges(hlo.parse(_COMMENT.sub('', text))):
        counts[kind] += times
        sizes[kind] += times * size
        unknown |= set() if is_known else {kind}
    return [Collective(kind, counts[kind], sizes[kind], kind in unknown) for kind in KINDS if counts[kind]]


def table(found: Sequence[Collective]) -> str:
    """Returns what the devices exchange in a training step, as text."""
    if not found:
        return 'Collectives of a training step: none.'
    rows = [
        f'  {each.kind:22}  {each.count:>5}  {written(each.size):>10}'
        + ', and more in a loop of unknown length' * each.has_unknown_loop
        for each in found
    ]
    return '\n'.join(['Collectives of a training step, on each device:', *rows])


@dataclass(frozen=True)
class _Site:
    """A computation that a program runs.

    Attributes:
      name: of the computation.
      caller: the computation that calls it as one of its operations, and not as the body of a loop; its own
        name if there is none.
      times: how often it runs.
      is_known: whether all loops around it have a known length. Other loops count as one iteration.
    """

    name: str
    caller: str
    times: int
    is_known: bool


def _exchanges(program: Program) -> Iterator[tuple[str, int, int, bool]]:
    """Yields kind, bytes and times of each collective, and whether the times are known.

    An asynchronous collective appears several times: where it begins, where it ends, and in the computation
    that runs meanwhile. All of these have the same channel.
    """
    seen: set[tuple[str, str]] = set()
    sites = [_Site(program.entry, program.entry, 1, True)]
    while sites:
        site = sites.pop()
        where = program.computations.get(site.name, Computation())
        for each in where.operations.values():
            key = (site.caller, each.attribute('channel_id') or each.name)
            kind = _kind(each)
            if kind and not (site.caller != site.name and key in seen):
                seen.add(key)
                yield kind, _size(where, each), site.times, site.is_known
            sites += _called(program, site, each)


def _kind(operation: Operation) -> str:
    """Returns the kind of collective that begins here; '' for other operations and for ends."""
    kind = operation.opcode.removesuffix('-start')
    return kind if kind in KINDS else ''


def _called(program: Program, site: _Site, operation: Operation) -> list[_Site]:
    """Returns the computations that an operation runs."""
    if operation.opcode in _ENDS:  # counted where it begins
        return []
    names = [
        name.strip().lstrip('%')
        for attribute in _CALLED
        for name in operation.attribute(attribute).split(',')
    ]
    if operation.opcode != 'while':
        caller = site.caller if operation.opcode in ('fusion', 'async-start') else ''
        return [_Site(name, caller or name, site.times, site.is_known) for name in names if name]
    turns = _turns(program, operation)
    times, is_known = site.times * (turns or 1), site.is_known and turns is not None
    return [_Site(name, name, times, is_known) for name in names if name]


def _turns(program: Program, loop: Operation) -> int | None:
    """Returns the length of a loop: as XLA states it, or the only constant that its condition compares to."""
    if stated := _TURNS.search(loop.rest):
        return int(stated[1])
    condition = program.computations.get(loop.attribute('condition'), Computation())
    constants = [each.rest.partition(')')[0] for each in condition.of('constant') if not each.shape]
    return int(constants[0]) if len(constants) == 1 and constants[0].isdigit() else None


def _size(where: Computation, operation: Operation) -> int:
    """Returns the bytes of the inputs or of the outputs of a collective, whichever are more."""
    if operation.opcode.endswith('-start') and operation.opcode != 'all-reduce-start':
        return max(map(_bytes, _elements(operation.type)))  # (operands, results, ...)
    operands = [where.operations[name].type for name in operation.operands if name in where.operations]
    return max(_bytes(operation.type), sum(map(_bytes, operands)))


def _elements(shape: str) -> list[str]:
    """Returns the elements of a tuple of shapes. Tuples inside it stay whole."""
    parts, depth = [''], 0
    for character in shape.removeprefix('(').removesuffix(')'):
        depth += {'(': 1, ')': -1, '[': 1, ']': -1, '{': 1, '}': -1}.get(character, 0)
        if character == ',' and not depth:
            parts.append('')
        else:
            parts[-1] += character
    return parts


def _bytes(shape: str) -> int:
    """Returns the bytes of the arrays of a shape, which may be a tuple."""
    return sum(
        prod(int(size) for size in sizes.split(',') if size) * _bits(dtype) // 8
        for dtype, sizes in _ARRAY.findall(shape)
    )


def _bits(dtype: str) -> int:
    """Returns the width of a dtype of XLA.

    >>> _bits('bf16'), _bits('pred'), _bits('f8e4m3fn'), _bits('c64')
    (16, 8, 8, 64)
    """
    digits = re.match(r'[a-z]+(\d+)', dtype)
    return int(digits[1]) if digits else 8
