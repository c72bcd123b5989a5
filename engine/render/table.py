"""Tables, and the five formats in which they are written: terminal, Markdown, CSV, LaTeX and HTML."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TextIO

import numpy as np

from engine.render import escape, markup

BEST, TIED = 'best', 'tied'  # marks: bold and italic
SCRIPT = 'tables.js'  # sorts and filters tables on a page
FILTERED_ROWS = 8  # a table with more rows than this can be filtered


class Cell(NamedTuple):
    """A cell.

    Attributes:
      value: what programs read: HTML sorts by it, CSV holds it. A number, a text, or None for an empty cell.
      text: what people read; by default `value` as text, a number with four digits.
      mark: 'best', 'tied' or ''.
      markup: HTML to show in place of the text.
    """

    value: object
    text: str = ''
    mark: str = ''
    markup: str = ''

    @property
    def shown(self) -> str:
        """The cell as people read it."""
        return self.text or _as_text(self.value)

    @property
    def is_number(self) -> bool:
        """Whether the value is a number, NaN included."""
        return isinstance(self.value, int | float | np.number) and not isinstance(self.value, bool)


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
      titles: titles of the columns.
      rows: cells of each row, one per column.
      note: text below the table.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ''

    @classmethod
    def of(cls, titles: Iterable[object], rows: Iterable[Iterable[object]], note: str = '') -> 'Table':
        """Makes a table of cells or plain values.

        >>> print(terminal(Table.of(['metric', 'value'], [['accuracy', 0.98765]])), end='')
        metric    value
        --------  ------
        accuracy  0.9877
        """
        cells = [[value if isinstance(value, Cell) else Cell(value) for value in row] for row in rows]
        return cls([str(title) for title in titles], cells, note)

    @classmethod
    def of_columns(cls, columns: Mapping[str, Sequence[object]], note: str = '') -> 'Table':
        """Makes a table of titles and their columns, which have the same length."""
        return cls.of(columns, zip(*columns.values(), strict=True), note)


def terminal(table: Table) -> str:
    """Returns a table in aligned columns, with a rule under the titles."""
    rows = [[escape.printable(text) for text in row] for row in _texts(table)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [rows[0], ['-' * width for width in widths], *rows[1:]]
    return _lines('  '.join(map(str.ljust, line, widths)).rstrip() for line in lines)


def terminal_groups(groups: Mapping[str, Table]) -> str:
    """Returns tables of the same columns, aligned below each other. Their titles are printed once.

    >>> rows = {'': [['accuracy', 0.9]], 'Probabilities': [['log loss', 1.5]]}
    >>> groups = {heading: Table.of(['metric', 'value'], group) for heading, group in rows.items()}
    >>> print(terminal_groups(groups), end='')
    metric    value
    --------  -----
    accuracy  0.9
    <BLANKLINE>
    Probabilities
    log loss  1.5

    Args:
      groups: heading to table, at least one. The heading '' is not printed.
    """
    titles = next(iter(groups.values())).titles
    whole = terminal(Table(titles, [row for table in groups.values() for row in table.rows]))
    lines = iter(whole.split('\n'))
    parts = [*islice(lines, 2)]
    for heading, table in groups.items():
        parts += ['', escape.printable(heading)] if heading else []
        parts += islice(lines, len(table.rows))
    return _lines(parts)


def markdown(table: Table) -> str:
    """Returns a table in Markdown. The best is bold, ties are italic."""
    titles, *rows = _marked(table, escape.markdown, {BEST: '**{}**', TIED: '*{}*'})
    lines = [titles, ['---'] * len(titles), *rows]
    note = ['', escape.markdown(table.note)] if table.note else []
    return _lines([*('| ' + ' | '.join(map(_without_pipes, line)) + ' |' for line in lines), *note])


def latex(table: Table) -> str:
    """Returns a table in LaTeX, for the package booktabs. The best is bold, ties are italic."""
    titles, *rows = _marked(table, escape.latex, {BEST: r'\textbf{{{}}}', TIED: r'\textit{{{}}}'})
    titles, *rows = (' & '.join(row) + r' \\' for row in (titles, *rows))
    begin = rf'\begin{{tabular}}{{{"l" * len(table.titles)}}}'
    head = [r'% \usepackage{booktabs}', begin, r'\toprule', titles, r'\midrule']
    note = ['', escape.latex(table.note)] if table.note else []
    return _lines([*head, *rows, r'\bottomrule', r'\end{tabular}', *note])


def comma_separated(table: Table) -> str:
    """Returns the values of a table as CSV, without its note. No text in it starts a formula."""
    file = io.StringIO()
    write_csv(file, table.titles, ([cell.value for cell in row] for row in table.rows))
    return file.getvalue()


def write_csv(file: TextIO, titles: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Writes plain values as CSV, row by row, so that a million rows need no memory."""
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(map(escape.formula, titles))
    writer.writerows(map(_as_csv, row) for row in rows)


FORMATS = {'markdown': markdown, 'csv': comma_separated, 'latex': latex}


def html(table: Table, caption: str, kind: str = '', sortable: bool = True) -> str:
    """Returns a table as HTML, without its note.

    Args:
      table: the table.
      caption: what the table holds, for readers who hear the page.
      kind: a further class for the style sheet.
      sortable: whether readers can sort and filter the table; the page must then include `SCRIPT`.
    """
    body = ''.join(f'<tr>{"".join(map(_data_cell, row))}</tr>' for row in table.rows)
    if not sortable:
        head = ''.join(f'<th scope="col">{markup.escaped(title)}</th>' for title in table.titles)
        return _html_table(caption, head, body, f'wide {kind}', '')
    head = ''.join(_sort_button(title, column, table) for column, title in enumerate(table.titles))
    table_markup = _html_table(caption, head, body, 'wide', ' class="sortable"')
    filtering = _FILTER if len(table.rows) > FILTERED_ROWS else ''
    return f'<div class="data {kind}">{filtering}{table_markup}</div>'


_FILTER = (
    '<p class="filter"><input type="search" placeholder="filter rows" aria-label="filter rows">'
    '<output></output></p>'
)
_HTML_EMPHASIS = {BEST: '<strong>{}</strong>', TIED: '<em>{}</em>', '': '{}'}


def _html_table(caption: str, head: str, body: str, kind: str, attributes: str) -> str:
    """Returns a table that can be scrolled, by keys too, where it is wider than the page."""
    name = markup.escaped(caption)
    return (
        f'<div class="{kind.strip()}" role="region" aria-label="{name}" tabindex="0"><table{attributes}>'
        f'<caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _sort_button(title: str, column: int, table: Table) -> str:
    """Returns the head of a column. An arrow at the end of the title stays on its line."""
    kind = '' if any(row[column].is_number for row in table.rows) else ' class="text"'
    text = markup.breakable(title).replace(' ↑', '\N{NO-BREAK SPACE}↑').replace(' ↓', '\N{NO-BREAK SPACE}↓')
    return f'<th scope="col" aria-sort="none"{kind}><button type="button">{text}</button></th>'


def _data_cell(cell: Cell) -> str:
    shown = cell.markup or _HTML_EMPHASIS[cell.mark].format(markup.breakable(cell.shown))
    if not cell.is_number:
        return f'<td class="text" dir="auto">{shown}</td>'
    number = float(cell.value)  # type: ignore[arg-type]
    key = f'{number:.17g}' if math.isfinite(number) else '-Infinity' if number < 0 else 'Infinity'
    return f'<td data-number="{key}">{shown}</td>'


def _texts(table: Table) -> list[list[str]]:
    """Returns titles and rows as people read them."""
    return [list(table.titles), *([cell.shown for cell in row] for row in table.rows)]


def _marked(table: Table, escaped: Callable[[str], str], emphasis: Mapping[str, str]) -> list[list[str]]:
    """Returns titles and rows, escaped, with marked cells emphasised."""
    rows = [[emphasis.get(cell.mark, '{}').format(escaped(cell.shown)) for cell in row] for row in table.rows]
    return [[escaped(title) for title in table.titles], *rows]


def _as_text(value: object) -> str:
    """Returns a value as people read it: '' for None and NaN."""
    if isinstance(value, bool | np.bool_):
        return 'yes' if value else 'no'
    if isinstance(value, int | float | np.number):
        number = float(value)  # type: ignore[arg-type]
        return '' if math.isnan(number) else markup.number(number)
    return '' if value is None else str(value)


def _as_csv(value: object) -> str:
    """Returns a value as programs read it: a number with six digits, '' for None and NaN."""
    if isinstance(value, float | np.floating):
        return '' if math.isnan(value) else f'{value:.6g}'
    return '' if value is None else escape.formula(value) if isinstance(value, str) else str(value)


def _without_pipes(text: str) -> str:
    return text.replace('|', r'\|')


def _lines(lines: Iterable[str]) -> str:
    return ''.join(f'{line}\n' for line in lines)
