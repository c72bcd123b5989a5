"""Tables as text. A table is a list of rows of cells, the first of them the titles."""

import re
from collections.abc import Sequence

from engine.render.escape import printable

# What Markdown or HTML would read; underscores inside a word they leave alone. The table escapes pipes.
_MARKDOWN = re.compile(r'[\\*`<>\[\]~$]|(?<!\w)_|_(?!\w)')


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns the table for a terminal: columns as wide as they need, a rule under the titles."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ['-' * width for width in widths]
    lines = [rows[0], rule, *rows[1:]]
    return '\n'.join('  '.join(map(str.ljust, line, widths)).rstrip() for line in lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Returns the table in Markdown."""
    rule = ['---'] * len(rows[0])
    return '\n'.join('| ' + ' | '.join(map(_cell, line)) + ' |' for line in [rows[0], rule, *rows[1:]])


def escaped(text: str) -> str:
    """Returns a text that Markdown shows as it is, in one line."""
    return _MARKDOWN.sub(lambda found: '\\' + found[0], printable(one_line(text)))


def one_line(text: str) -> str:
    """Returns a text with a blank for each of its gaps."""
    return ' '.join(text.split())


def _cell(text: str) -> str:
    return text.replace('|', r'\|')
