"""Reads the README.md of a dataset: its title, its introduction, its tables.

This module imports the standard library alone.
"""

import re
from pathlib import Path

ReadmeTable = list[dict[str, str]]  # one dict per row, keyed by column

_RULE = re.compile(r'\|?[\s:|-]+\|[\s:|-]*')


def read(folder: Path) -> str:
    """Returns the text of README.md in a dataset's folder, '' if there is none."""
    file = folder / 'README.md'
    return file.read_text(encoding='utf-8') if file.is_file() else ''


def title(text: str) -> str:
    """Returns the heading that opens the text, '' if it opens with something else.

    >>> title('# Handwritten digits')
    'Handwritten digits'
    """
    first = text.lstrip().partition('\n')[0]
    return first.lstrip('# ').strip() if first.startswith('# ') else ''


def introduction(text: str) -> list[str]:
    """Returns the paragraphs between the title and the first table, code block or second heading."""
    paragraphs = []
    for block in re.split(r'\n\s*\n', text.strip())[1:]:
        if block.startswith(('#', '|', '```')):
            break
        if not block.startswith('!['):
            paragraphs.append(' '.join(block.split()))
    return paragraphs


def table(text: str, first: str) -> ReadmeTable | None:
    """Returns the first table whose first column is called `first`, None if there is none."""
    for lines in _tables(text):
        columns = _cells(lines[0])
        if columns[0] == first:
            return [dict(zip(columns, _cells(line), strict=False)) for line in lines[2:]]
    return None


def _tables(text: str) -> list[list[str]]:
    """Returns the lines of each table."""
    blocks = re.findall(r'(?:^\|.*\n?)+', text, re.MULTILINE)
    tables = [block.splitlines() for block in blocks]
    return [lines for lines in tables if len(lines) > 2 and _RULE.fullmatch(lines[1].strip())]


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('`') for cell in line.strip().strip('|').split('|')]


def count(cell: str) -> int | None:
    """Returns the number in a cell such as `1,248`, None if there is none.

    >>> count('1,248')
    1248
    """
    digits = re.sub(r'[,_\s]', '', cell)
    return int(digits) if digits.isdecimal() else None
