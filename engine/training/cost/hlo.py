"""Reads the text of a lowered program (HLO): its operations, and how often its loops run.

The grammar: https://openxla.org/xla/operation_semantics.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

_COMPUTATION = re.compile(r'(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+)(?: \(.*\) -> .*)? \{')
_OPERATION = re.compile(
    r' +(?P<root>ROOT )?%?(?P<name>[\w.\-]+) = (?P<type>\(.*?\)|\S+) (?P<opcode>[\w\-]+)\((?P<rest>.*)'
)
_SHAPE = re.compile(r'(\w+)\[([\d,]*)\]')


@dataclass(frozen=True)
class Operation:
    """A line of a computation: `name = type opcode(operands), attributes`.

    Attributes:
      name: unique in its computation.
      type: dtype and shape, such as 'f32[64,10]{1,0}'.
      opcode: such as 'dot'.
      rest: operands and attributes, as written after the opening parenthesis.
    """

    name: str
    type: str
    opcode: str
    rest: str

    @cached_property
    def operands(self) -> list[str]:
        """The names of the operands."""
        inside = self.rest.partition(')')[0]
        return [each.split()[-1].lstrip('%') for each in inside.split(', ') if each]

    @property
    def dtype(self) -> str:
        """The type of the elements, such as 'bf16'."""
        return self.type.partition('[')[0]

    @cached_property
    def shape(self) -> list[int]:
        """The sizes of the axes; [] for a scalar."""
        match = _SHAPE.match(self.type)
        return numbers(match[2]) if match else []

    def attribute(self, name: str) -> str:
        """Returns an attribute of one word or of a list in braces without the braces, '' if it is missing."""
        match = re.search(rf'\b{name}=(?:\{{([^}}]*)\}}|%?([^\s,)]+))', self.rest)
        return (match[1] or match[2] or '') if match else ''


@dataclass
class Computation:
    """A function of a program: its operations in their order.

    Attributes:
      operations: by name.
      root: name of the operation whose value it returns.
    """

    operations: dict[str, Operation] = field(default_factory=dict)
    root: str = ''

    def of(self, *opcodes: str) -> Iterator[Operation]:
        """Yields the operations of some kinds."""
        return (each for each in self.operations.values() if each.opcode in opcodes)


@dataclass
class Program:
    """A program.

    Attributes:
      computations: by name.
      entry: name of the one that runs.
    """

    computations: dict[str, Computation] = field(default_factory=dict)
    entry: str = ''

    def turns(self, where: Computation, loop: Operation) -> int | None:
        """Returns how often a loop runs its body: `for (i = a; i < b; i++)`. None if the text does not say.

        Args:
          where: the computation that holds the loop.
          loop: an operation `while`.
        """
        condition, body = (self.computations[loop.attribute(name)] for name in ('condition', 'body'))
        test = condition.operations[condition.root]
        if test.opcode != 'compare' or test.attribute('direction') != 'LT':
            return None
        counter, limit = (condition.operations[name] for name in test.operands)
        if counter.opcode != 'get-tuple-element' or not _adds_one(
            body, index := int(counter.attribute('index'))
        ):
            return None
        start, end = _value(_initial(where, loop, index)), _value(limit)
        return None if start is None or end is None else max(0, end - start)


def parse(text: str) -> Program:
    """Returns the program in a text."""
    program, current = Program(), Computation()
    for line in text.splitlines():
        if line.endswith('{') and (head := _COMPUTATION.fullmatch(line)):
            current = program.computations.setdefault(head['name'], Computation())
            program.entry = head['name'] if head['entry'] else program.entry
        elif match := _OPERATION.fullmatch(line):
            current.operations[match['name']] = Operation(*match.group('name', 'type', 'opcode', 'rest'))
            current.root = match['name'] if match['root'] else current.root
    return program


def numbers(text: str) -> list[int]:
    """Returns the numbers of a list.

    >>> numbers('3,1')
    [3, 1]
    """
    return [int(number) for number in text.split(',') if number]


def _initial(where: Computation, loop: Operation, index: int) -> Operation | None:
    """Returns what a loop's variable starts from."""
    start = where.operations[loop.operands[0]]
    return where.operations.get(start.operands[index]) if start.opcode == 'tuple' else None


def _value(operation: Operation | None) -> int | None:
    """Returns the number of a constant."""
    match = re.match(r'(-?\d+)\)', operation.rest) if operation and operation.opcode == 'constant' else None
    return int(match[1]) if match else None


def _adds_one(body: Computation, index: int) -> bool:
    """Whether a loop's body increases one of its variables by 1."""
    results = body.operations[body.root].operands
    added = body.operations.get(results[index]) if index < len(results) else None
    if added is None or added.opcode != 'add':
        return False
    terms = [body.operations[name] for name in added.operands]
    return any(_value(each) == 1 for each in terms) and any(
        each.opcode == 'get-tuple-element' and int(each.attribute('index')) == index for each in terms
    )
