"""Reads lists: tables as text with a row per example, such as CSV or TSV, from whatever program wrote them.

The first line names the columns. Cells are separated by commas, semicolons, tabs or vertical bars: what
separates the names of the columns that the caller needs, or what Excel's first line `sep=;` states. The
encoding is UTF-8, or UTF-16 or UTF-32 with a byte order mark. Spaces around cells do not count, nor do blank
rows and blank cells after the last column. Everything else is an error with file and line: nothing is guessed
and no text, such as `NA`, stands for a missing cell.

This module imports the standard library and engine.errors alone.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import UserError

DELIMITERS = (',', ';', '\t', '|')
MAX_SHOWN = 60  # characters of a line in a message

# UTF-32 comes first, because its byte order mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: 'utf-8',
    codecs.BOM_UTF32_LE: 'utf-32-le',
    codecs.BOM_UTF32_BE: 'utf-32-be',
    codecs.BOM_UTF16_LE: 'utf-16-le',
    codecs.BOM_UTF16_BE: 'utf-16-be',
}
_BINARY = {b'PK\x03\x04': 'a spreadsheet or a ZIP archive', b'\x1f\x8b': 'compressed by gzip'}
_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]')
_CSV_HINTS = {  # what csv says, and what it means
    'unexpected end': 'a quote is never closed. A quote inside a quoted cell is doubled: "a ""b"" c"',
    'expected after': 'text follows a closing quote. A quote inside a quoted cell is doubled: "a ""b"" c"',
    'field limit': f'a cell has more than {csv.field_size_limit():,} characters. A quote may never be closed',
}
_SPREADSHEET_ERROR = re.compile(r'#(N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!)')


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row of a list.

    Attributes:
      table: the list.
      line: the line in the file where the row begins, from 1 on.
      cells: the text of each cell, without the spaces around it.
    """

    table: 'ListTable' = field(repr=False)
    line: int
    cells: Sequence[str]

    @property
    def place(self) -> str:
        """File and line, for messages."""
        return f'{self.table.path}:{self.line}'

    def __getitem__(self, column: str) -> str:
        """Returns a cell.

        Raises:
          UserError: the list has no such column, or the cell is empty or not plain text.
        """
        cell = self.cells[self.table.index(column)]
        if not cell:
            raise UserError(f'{self.place}: the cell {column!r} is empty. Fill it in, or remove the row.')
        if control := _CONTROL.search(cell):
            raise UserError(
                f'{self.place}: the cell {column!r} is {_cut(cell)}, which holds the control character '
                f'{control[0]!r}. Ids, labels and names of files have one line of plain text: rename it.'
            )
        if _SPREADSHEET_ERROR.fullmatch(cell):
            raise UserError(
                f'{self.place}: the cell {column!r} is {cell!r}, the error of a formula in a spreadsheet. '
                'Put the right value there.'
            )
        return cell


@dataclass(frozen=True, eq=False)
class ListTable:
    """A list that was read.

    Attributes:
      path: the file. Files named in the list are relative to its folder.
      header_line: the line that names the columns, from 1 on.
      columns: the names of the columns; '' for those without a name.
      rows: the rows in their order.
    """

    path: Path
    header_line: int
    columns: Sequence[str]
    rows: Sequence[ListRow]

    def index(self, *names: str) -> int:
        """Returns the place of the first of these columns that exists. Raises `UserError` if none does."""
        index = next((self.columns.index(name) for name in names if name in self.columns), None)
        if index is None:
            raise UserError(_no_column(self.path, self.header_line, names, self.columns))
        return index

    def column(self, *names: str) -> list[str]:
        """Returns the cells of the first of these columns that exists.

        Raises:
          UserError: none of them exists, or a cell is empty or not plain text.
        """
        name = self.columns[self.index(*names)]
        return [row[name] for row in self.rows]


def read(path: Path, *needed: str) -> ListTable:
    """Reads a list.

    Args:
      path: the file.
      needed: columns that must exist. The caller may ask for others too.

    Raises:
      UserError: the file cannot be read, is not a list, lacks a column or has no rows.
    """
    text = _text(path)
    first, delimiter = _stated_delimiter(text)
    choices = (delimiter,) if delimiter else DELIMITERS
    headers = [(choice, *_header(path, text, first, choice)) for choice in choices]
    delimiter, header_line, columns = max(
        headers, key=lambda choice: (sum(name in choice[2] for name in needed), len(choice[2]))
    )
    for name in needed:
        if name not in columns:
            raise UserError(_no_column(path, header_line, [name], columns, needed))
    repeated = [name for name in columns if name and columns.count(name) > 1]
    if repeated:
        raise UserError(f'{path}:{header_line}: two columns have the same name {repeated[0]!r}. Rename one.')
    table = ListTable(path, header_line, columns, rows := [])
    cells = ((line, cells) for line, cells in _cells(path, text, delimiter, first) if line > header_line)
    rows.extend(ListRow(table, line, _fitted(path, line, cells, columns)) for line, cells in cells)
    if not rows:
        raise UserError(f'{path} lists no examples. Add rows below its first line, or delete the file.')
    return table


def _text(path: Path) -> str:
    """Returns the text of a file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}.') from error
    for start, kind in _BINARY.items():
        if data.startswith(start):
            raise UserError(f'{path} is {kind}, not a text. Export it as CSV in UTF-8.')
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b'')
    if not mark and b'\0' in data:
        raise UserError(
            f'{path} holds bytes that are 0, so it is UTF-16 without a byte order mark, or not a text. '
            'Save it as CSV in UTF-8.'
        )
    try:
        return data[len(mark) :].decode(_MARKS.get(mark, 'utf-8'))
    except UnicodeDecodeError as error:
        raise UserError(_not_decoded(path, data[len(mark) :], error)) from None


def _not_decoded(path: Path, data: bytes, error: UnicodeDecodeError) -> str:
    if error.encoding != 'utf-8':
        return f'{path} is damaged: its bytes are not {error.encoding.upper()}, which its first bytes state.'
    before = data[: error.start]
    line = 1 + len(re.findall(b'\r\n|\r|\n', before))
    rest = re.split(b'[\r\n]', before)[-1] + re.split(b'[\r\n]', data[error.start :])[0]
    return (
        f'{path}:{line}: the byte 0x{data[error.start]:02x} is not UTF-8. If '
        f'{_cut(rest.decode("windows-1252", "replace"))} is the right text, the encoding is Windows-1252 or '
        f'Latin-1. Convert the file: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > utf8.csv'
    )


def _stated_delimiter(text: str) -> tuple[int, str]:
    """Returns the number of lines before the list, and the delimiter that Excel's line `sep=;` states."""
    stated = re.match('"?sep=(.)"?[ ,;\t]*(\r\n|\r|\n|$)', text, re.IGNORECASE)
    return (1, stated[1]) if stated else (0, '')


def _header(path: Path, text: str, first: int, delimiter: str) -> tuple[int, list[str]]:
    """Returns the line that names the columns, and their names."""
    for line, cells in _cells(path, text, delimiter, first, strict=False):
        return line, cells
    raise UserError(f'{path} is empty. Its first line names the columns.')


def _cells(
    path: Path, text: str, delimiter: str, first: int, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Yields line and cells of each row below the first lines. Blank rows are left out.

    With the wrong delimiter, quotes seem wrong too: they are forgiven unless `strict`.
    """
    lines = io.StringIO(text, newline='')
    for _ in range(first):
        lines.readline()
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)
    line = first + 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield line, stripped
            line = first + reader.line_num + 1
    except csv.Error as error:
        hint = next((hint for part, hint in _CSV_HINTS.items() if part in str(error)), str(error))
        raise UserError(f'{path}:{line}: the row that begins here cannot be read: {hint}.') from None


def _fitted(path: Path, line: int, cells: list[str], columns: Sequence[str]) -> list[str]:
    """Returns as many cells as there are columns."""
    missing = len(columns) - len(cells)
    if any(cells[len(columns) :]) or any(columns[len(cells) :]):
        hint = 'A cell that holds the separator stands in quotes.' if missing < 0 else _comment_hint(cells)
        raise UserError(
            f'{path}:{line}: the row {_cut(" | ".join(cells))} has {len(cells)} '
            f'{"cell" if len(cells) == 1 else "cells"}, but there are {len(columns)} columns: '
            f'{", ".join(columns)}. {hint}'
        )
    return cells[: len(columns)] + [''] * missing


def _comment_hint(cells: Sequence[str]) -> str:
    if cells[0].startswith('#'):
        return 'A list has no comments: remove the line.'
    return 'Fill in the missing cells, or remove the row.'


def _no_column(
    path: Path, line: int, names: Sequence[str], columns: Sequence[str], needed: Sequence[str] = ()
) -> str:
    """Returns the message about a column that is missing."""
    near = [name for name in columns if _letters(name) in map(_letters, names)]
    if columns[0].startswith('#'):
        hint = 'A list has no comments: its first line names the columns, without "#".'
    elif near:
        hint = f'Rename the column {near[0]!r}.'
    else:
        hint = f'The line reads {_cut(", ".join(columns))}.'
    order = f' The first line must name the columns: {",".join(needed)}.' if needed else ''
    return f'{path}:{line}: there is no column {" or ".join(map(repr, names))}. {hint}{order}'


def _letters(name: str) -> str:
    return re.sub('[^a-z0-9]', '', name.lower())


def _cut(text: str) -> str:
    """Returns a text in quotes, shortened for a message."""
    return repr(text if len(text) <= MAX_SHOWN else f'{text[:MAX_SHOWN]}...')
