"""Tables for papers, READMEs and spreadsheets, in which nobody's names do harm."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from engine.render import text_tables
from engine.render.escape import defused

BEST, TIED = 'best', 'tied'


@dataclass(frozen=True)
class Table:
    """Cells by column.

    Attributes:
      columns: title to cells, as many in each.
      note: what stands under the table.
      marks: column and row of a cell, the row counted from 0, to 'best' or 'tied'.
    """

    columns: Mapping[str, Sequence[str]]
    note: str = ''
    marks: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def rows(self) -> list[list[str]]:
        """Returns the rows without the titles."""
        return [list(cells) for cells in zip(*self.columns.values(), strict=True)]


def markdown(table: Table) -> str:
    """Returns the table in Markdown: the best bold, ties italic."""
    marked = _marked(table, text_tables.escaped, {BEST: '**{}**', TIED: '*{}*'})
    return f'{text_tables.markdown(marked)}\n\n{text_tables.escaped(table.note)}\n'


def latex(table: Table) -> str:
    """Returns the table in LaTeX, for the package booktabs: the best bold, ties italic."""
    titles, *rows = _marked(table, _latex_cell, {BEST: r'\textbf{{{}}}', TIED: r'\textit{{{}}}'})
    lines = [' & '.join(row) + r' \\' for row in rows]
    inside = [r'\toprule', ' & '.join(titles) + r' \\', r'\midrule', *lines, r'\bottomrule']
    tabular = [rf'\begin{{tabular}}{{{"l" * len(titles)}}}', *inside, r'\end{tabular}']
    return '\n'.join([*tabular, '', _latex_cell(table.note), ''])


def comma_separated(table: Table) -> str:
    """Returns the table as CSV, without its note: a spreadsheet finds no formula in it."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator='\n')
    rows.writerows([defused(cell) for cell in row] for row in [list(table.columns), *table.rows()])
    return written.getvalue()


def frame_as_csv(frame: pd.DataFrame) -> str:
    """Returns a table of pandas as CSV: a spreadsheet finds no formula in it."""
    harmless = frame.rename(index=_cell, columns=_cell)
    for place, dtype in enumerate(harmless.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            harmless.isetitem(place, harmless.iloc[:, place].map(_cell))
    return harmless.to_csv(float_format='%.6g')


FORMATS = {'markdown': markdown, 'csv': comma_separated, 'latex': latex}


def _marked(table: Table, escape: Callable[[str], str], emphasis: Mapping[str, str]) -> list[list[str]]:
    """Returns titles and rows, escaped, what is marked emphasised."""
    rows = [[escape(title) for title in table.columns]]
    for number, cells in enumerate(table.rows()):
        marks = [table.marks.get((title, number), '') for title in table.columns]
        pairs = zip(marks, map(escape, cells), strict=True)
        rows.append([emphasis.get(mark, '{}').format(cell) for mark, cell in pairs])
    return rows


_LATEX = {
    **{character: f'\\{character}' for character in '&%$#_{}'},
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
    '±': r'$\pm$',
    '↑': r'$\uparrow$',
    '↓': r'$\downarrow$',
}


def _latex_cell(cell: str) -> str:
    escaped = ''.join(_LATEX.get(character, character) for character in text_tables.one_line(cell))
    # A bracket after the end of a row would be read as the row's distance; a hyphen is no minus.
    return re.sub(r'(?<!\w)-(?=\d)', '$-$', re.sub(r'^\[', '{[}', escaped))


def _cell(value: object) -> object:
    return defused(value) if isinstance(value, str) else value
