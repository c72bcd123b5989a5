"""Tables as text. A table is a list of rows of cells, the first of them the titles."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Returns the table for a terminal: columns as wide as they need, a rule under the titles."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ['-' * width for width in widths]
    lines = [rows[0], rule, *rows[1:]]
    return '\n'.join('  '.join(map(str.ljust, line, widths)).rstrip() for line in lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Returns the table in Markdown."""
    rule = ['---'] * len(rows[0])
    return '\n'.join('| ' + ' | '.join(map(_cell, line)) + ' |' for line in [rows[0], rule, *rows[1:]])


def _cell(text: str) -> str:
    return text.replace('|', r'\|')
