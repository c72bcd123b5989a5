import csv
import io

import pytest

from engine.render.table_formats import BEST, TIED, Table, comma_separated, latex, markdown

NASTY = ['a|b', '50 % & $x_1$ {y} #1 ~^\\', '<script>', '=1+1', '[b]\nc *d*']
TABLE = Table(
    {'the_name': NASTY, 'score (%)': ['1', '2', '3', '4', '5']},
    'About 100 % of *all*.',
    {('score (%)', 0): BEST, ('score (%)', 1): TIED},
)


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
    assert lines[:4] == [r'\begin{tabular}{ll}', r'\toprule', r'the\_name & score (\%) \\', r'\midrule']
    assert lines[4:9] == [
        r'a\textbar{}b & \textbf{1} \\',
        r'50 \% \& \$x\_1\$ \{y\} \#1 \textasciitilde{}\textasciicircum{}\textbackslash{} & \textit{2} \\',
        r'\textless{}script\textgreater{} & 3 \\',
        r'=1+1 & 4 \\',
        r'{[}b] c *d* & 5 \\',
    ]
    assert lines[9:] == [r'\bottomrule', r'\end{tabular}', '', r'About 100 \% of *all*.']


def test_latex_of_signs():
    lines = latex(
        Table({'accuracy (%) ↑': ['98.2 ± 0.1', '-0.3 (-1 to 1)', 'lr-1e-05'], 'loss ↓': ['1'] * 3})
    )
    assert lines.splitlines()[2:7] == [
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
    assert comma_separated(Table({'a': [cell], cell: ['b']})).count(f"'{cell}") == 2


@pytest.mark.parametrize('cell', ['-1', '+2.5', '-1e-05', '0.3', '', 'a-b'])
def test_csv_leaves_numbers_and_text(cell: str):
    assert (
        next(iter(list(csv.reader(io.StringIO(comma_separated(Table({'a': [cell], 'b': ['x']})))))[1:]))[0]
        == cell
    )
