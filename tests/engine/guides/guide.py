"""The guides of docs/: pages that a reader follows from top to bottom.

The fence of a block says what the reader does with it:

| fence                   |                                                                                |
|-------------------------|--------------------------------------------------------------------------------|
| any, after `` `path` `` | a file that the reader writes                                                  |
| `sh`                    | commands that run                                                              |
| `python`                | a program that runs                                                            |
| `text`                  | after commands, what they print; `...` stands for more. Otherwise it is shown: |
|                         | commands for other machines, the content of a file                             |
"""

import re
from dataclasses import dataclass
from functools import cached_property

from engine.workspace import REPOSITORY

# In the order in which a reader follows them: each continues with the runs of the ones before.
# The last one begins with a fork of its own.
GUIDES = ('first-run', 'own-dataset', 'own-model', 'reviewers', 'several-machines', 'project')
BLOCK = re.compile(r'(?:^`([\w./-]+)`\n\n)?^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SHELL, PYTHON, SHOWN = 'sh', 'python', 'text'


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
      language: of the fence.
      text: what it holds.
      line: the line of the page where it begins.
      path: of the file that the reader writes; '' if it is no file.
    """

    language: str
    text: str
    line: int
    path: str

    @property
    def is_run(self) -> bool:
        """Whether the block runs."""
        return not self.path and self.language in (SHELL, PYTHON)


@dataclass(frozen=True)
class Guide:
    """A page.

    Attributes:
      name: of its file.
    """

    name: str

    @cached_property
    def text(self) -> str:
        """What it holds."""
        return (REPOSITORY / f'docs/{self.name}.md').read_text(encoding='utf-8')

    @cached_property
    def blocks(self) -> list[Block]:
        """Its blocks, in their order."""
        return [
            Block(block[2], block[3], self.text.count('\n', 0, block.start(2)) + 1, block[1] or '')
            for block in BLOCK.finditer(self.text)
        ]

    @property
    def shown(self) -> dict[int, str]:
        """What the commands of a block print, by the line of the block."""
        return {
            block.line: after.text
            for block, after in zip(self.blocks, self.blocks[1:], strict=False)
            if block.is_run and after.language == SHOWN and not after.path
        }


def guides() -> list[Guide]:
    """Returns the guides, in their order."""
    return [Guide(name) for name in GUIDES]


def missing(expected: str, printed: str) -> list[str]:
    """Returns the first lines that were not printed, [] if all were, in this order and without others.

    A line `...` stands for any lines. Numbers, rules and widths of columns may differ.

    >>> missing('epoch 1\\n...\\ndone in 3 s', 'epoch 1\\nepoch 2\\ndone in 12.5 s')
    []
    >>> missing('epoch 1\\ndone', 'epoch 1\\nepoch 2\\ndone')
    ['epoch #', 'done']
    """
    lines, wanted = [*map(_masked, printed.splitlines())], [*map(_masked, expected.splitlines())]
    at = 0
    for part, is_first, is_last in _parts(wanted):
        places = range(at, len(lines) - len(part) + 1)
        places = [0] if is_first and at == 0 else places
        places = [len(lines) - len(part)] if is_last and not is_first else places
        found = next((place for place in places if lines[place : place + len(part)] == part), None)
        if found is None or found < at or (is_first and is_last and len(part) != len(lines)):
            return part
        at = found + len(part)
    return []


def _parts(wanted: list[str]) -> list[tuple[list[str], bool, bool]]:
    """Returns the lines between `...`, and whether they are the first and the last ones."""
    parts: list[list[str]] = [[]]
    for line in wanted:
        if line == '...':
            parts.append([])
        else:
            parts[-1].append(line)
    return [(part, index == 0, index == len(parts) - 1) for index, part in enumerate(parts) if part]


def _masked(line: str) -> str:
    line = re.sub(r'\b[0-9a-f]{7,64}\b(?:\+[0-9a-f]{4})?', '#', line)
    line = re.sub(r'\d[\d.,:]*(?:e[+-]?\d+)?', '#', line)
    line = re.sub(r'# (?:(?:d|h|min|s) #? ?)*(?:h|min|s|ms)\b', '# s', line)  # a duration
    return re.sub(r'\s+', ' ', re.sub('-{2,}', '--', line)).strip()
