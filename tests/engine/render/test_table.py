import csv
import io

import pytest

from engine.render.table import BEST, TIED, Cell, Table, comma_separated, html, latex, markdown, terminal

NASTY = ['a|b', '50 % & $x_1$ {y} #1 ~^\\', '<script>', '=1+1', '[b]\nc *d*']
SCORES = [Cell(1, mark=BEST), Cell(2, mark=TIED), '3', '4', '5']
TABLE = Table.of_columns({'the_name': NASTY, 'score (%)': SCORES}, 'About 100 % of *all*.')
METRICS = Table.of(['metric', 'value'], [['accuracy', '98.9 %'], ['a|b', '']])


def test_terminal():
    assert terminal(METRICS) == 'metric    value\n--------  ------\naccuracy  98.9 %\na|b\n'


def test_markdown_without_a_note():
    assert markdown(METRICS) == '| metric | value |\n| --- | --- |\n| accuracy | 98.9 % |\n| a\\|b |  |\n'


def test_markdown():
    lines = markdown(TABLE).splitlines()
    assert lines[:4] == [
        '| the_name | score (%) |',
        '| --- | --- |',
        r'| a\|b | **1** |',
        r'| 50 % & \$x_1\$ {y} #1 \~^\\ | *2* |',
    ]
    assert lines[4:] == [
        r'| \<script\> | 3 |',
        '| =1+1 | 4 |',
        r'| \[b\] c \*d\* | 5 |',
        '',
        r'About 100 % of \*all\*.',
    ]


def test_latex():
    lines = latex(TABLE).splitlines()
    assert lines[0] == r'% \usepackage{booktabs}'
    assert lines[1:5] == [r'\begin{tabular}{ll}', r'\toprule', r'the\_name & score (\%) \\', r'\midrule']
    assert lines[5:10] == [
        r'a\textbar{}b & \textbf{1} \\',
        r'50 \% \& \$x\_1\$ \{y\} \#1 \textasciitilde{}\textasciicircum{}\textbackslash{} & \textit{2} \\',
        r'\textless{}script\textgreater{} & 3 \\',
        r'=1+1 & 4 \\',
        r'{[}b] c *d* & 5 \\',
    ]
    assert lines[10:] == [r'\bottomrule', r'\end{tabular}', '', r'About 100 \% of *all*.']


def test_latex_of_signs():
    lines = latex(
        Table.of_columns(
            {'accuracy (%) ↑': ['98.2 ± 0.1', '-0.3 (-1 to 1)', 'lr-1e-05'], 'loss ↓': ['1'] * 3}
        )
    )
    assert lines.splitlines()[3:8] == [
        r'accuracy (\%) $\uparrow$ & loss $\downarrow$ \\',
        r'\midrule',
        r'98.2 $\pm$ 0.1 & 1 \\',
        r'$-$0.3 ($-$1 to 1) & 1 \\',
        r'lr-1e-05 & 1 \\',
    ]


def test_csv_reads_back():
    rows = list(csv.reader(io.StringIO(comma_separated(TABLE))))
    assert rows[0] == ['the_name', 'score (%)']
    assert [row[0] for row in rows[1:]] == [*NASTY[:3], "'=1+1", NASTY[4]]


@pytest.mark.parametrize('cell', ['=1', '+cmd', '-2+3', '@SUM(A1)', '\tx', '-'])
def test_csv_holds_no_formula(cell: str):
    assert comma_separated(Table.of(['a', cell], [[cell, 'b']])).count(f"'{cell}") == 2


@pytest.mark.parametrize('cell', ['-1', '+2.5', '-1e-05', '0.3', '', 'a-b'])
def test_csv_leaves_numbers_and_text(cell: str):
    assert (
        next(iter(list(csv.reader(io.StringIO(comma_separated(Table.of(['a', 'b'], [[cell, 'x']])))))[1:]))[0]
        == cell
    )


def test_csv_holds_values_and_people_read_text():
    cells = [
        Cell(0.123456789, '12.35 %'),
        Cell(12345678),
        Cell(float('nan')),
        Cell(None),
        Cell(-float('inf')),
    ]
    table = Table.of(['a', 'b', 'c', 'd', 'e'], [cells])
    assert comma_separated(table).splitlines()[1] == '0.123457,12345678,,,-inf'
    assert terminal(table).splitlines()[2].split() == ['12.35', '%', '12,345,678', '-inf']


def test_html_is_sorted_by_values_and_shows_text_as_it_is():
    cells = [Cell(0.5, '50 %', BEST), Cell(float('nan')), '<b>', Cell(None, markup='<svg></svg>')]
    table = Table.of(['a ↑', 'b', '<c>', ''], [cells])
    shown = html(table, 'the caption')
    assert '<td data-number="0.5"><strong>50 %</strong></td><td data-number="Infinity"></td>' in shown
    assert '<td class="text" dir="auto">&lt;b&gt;</td><td class="text" dir="auto"><svg></svg></td>' in shown
    assert 'a\N{NO-BREAK SPACE}↑' in shown
    assert '&lt;c&gt;' in shown
    assert '<caption>the caption</caption>' in shown
    assert 'button' not in html(table, 'the caption', sortable=False)


def test_rows_are_filtered_where_they_are_many():
    assert 'type="search"' not in html(Table.of(['a'], [[row] for row in range(8)]), 'a')
    assert 'type="search"' in html(Table.of(['a'], [[row] for row in range(9)]), 'a')
