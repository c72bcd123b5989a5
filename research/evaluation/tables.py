"""Tables for papers, READMEs and spreadsheets, in which nobody's names do harm."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from research.evaluation import text

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
    marked = _marked(table, _markdown_cell, {BEST: '**{}**', TIED: '*{}*'})
    return f'{text.markdown(marked)}\n\n{_markdown_cell(table.note)}\n'


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


FORMATS = {'markdown': markdown, 'csv': comma_separated, 'latex': latex}


def _marked(table: Table, escape: Callable[[str], str], emphasis: Mapping[str, str]) -> list[list[str]]:
    """Returns titles and rows, escaped, what is marked emphasised."""
    rows = [[escape(title) for title in table.columns]]
    for number, cells in enumerate(table.rows()):
        marks = [table.marks.get((title, number), '') for title in table.columns]
        pairs = zip(marks, map(escape, cells), strict=True)
        rows.append([emphasis.get(mark, '{}').format(cell) for mark, cell in pairs])
    return rows


# What Markdown or HTML would read; underscores inside a word they leave alone. The table escapes pipes.
_MARKDOWN = re.compile(r'[\\*`<>\[\]~$]|(?<!\w)_|_(?!\w)')


def _markdown_cell(cell: str) -> str:
    return _MARKDOWN.sub(lambda found: '\\' + found[0], _one_line(cell))


_LATEX = {
    **{character: f'\\{character}' for character in '&%$#_{}'},
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
    '±': r'$\pm$',
}


def _latex_cell(cell: str) -> str:
    # A bracket after the end of a row would be read as the row's distance.
    return re.sub(r'^\[', '{[}', ''.join(_LATEX.get(character, character) for character in _one_line(cell)))


def _one_line(cell: str) -> str:
    return ' '.join(cell.split())


def defused(cell: str) -> str:
    """Puts an apostrophe before what a spreadsheet would compute; a number it would not."""
    try:
        float(cell)
    except ValueError:
        return f"'{cell}" if cell.startswith(('=', '+', '-', '@', '\t', '\r')) else cell
    return cell
