"""What a dataset's README.md says: its title, its head, its tables. Imports the standard library alone."""

import re
from pathlib import Path

Table = list[dict[str, str]]  # a row each, by the titles of the columns

_RULE = re.compile(r'\|?[\s:|-]+\|[\s:|-]*')


def read(folder: Path) -> str:
    """Returns the README.md of a dataset's folder, '' if there is none."""
    file = folder / 'README.md'
    return file.read_text(encoding='utf-8') if file.is_file() else ''


def title(text: str) -> str:
    """Returns the first heading, '' if the text does not open with one."""
    first = text.lstrip().partition('\n')[0]
    return first.lstrip('# ').strip() if first.startswith('# ') else ''


def head(text: str) -> list[str]:
    """Returns the paragraphs between the title and whatever is no plain paragraph: a table, a heading."""
    paragraphs = []
    for block in re.split(r'\n\s*\n', text.strip())[1:]:
        if block.startswith(('#', '|', '```')):
            break
        if not block.startswith('!['):
            paragraphs.append(' '.join(block.split()))
    return paragraphs


def table(text: str, first: str) -> Table | None:
    """Returns the first table whose first column is called `first`, None if there is none."""
    for block in _tables(text):
        titles = _cells(block[0])
        if titles[0] == first:
            return [dict(zip(titles, _cells(line), strict=False)) for line in block[2:]]
    return None


def _tables(text: str) -> list[list[str]]:
    """Returns the lines of each table."""
    blocks = re.findall(r'(?:^\|.*\n?)+', text, re.MULTILINE)
    tables = [block.splitlines() for block in blocks]
    return [lines for lines in tables if len(lines) > 2 and _RULE.fullmatch(lines[1].strip())]


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('`') for cell in line.strip().strip('|').split('|')]


def count(cell: str) -> int | None:
    """Returns the number in a cell such as `1,248`, None if there is none."""
    digits = re.sub(r'[,_\s]', '', cell)
    return int(digits) if digits.isdecimal() else None
