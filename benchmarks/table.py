"""Prints the tables of all results, and puts them into README.md and benchmarks/README.md.

    scripts/benchmark.sh table

Every number comes from `benchmarks/results/`. The tables stand between two comments, and a test compares
them with the results, so nobody edits a number by hand.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import Bound
from benchmarks.results import FOLDER, SUITE
from engine import files
from engine.render.table import Table, markdown
from engine.render.table import terminal as terminal_table
from engine.workspace import REPOSITORY

START, END = '<!-- results: scripts/benchmark.sh table -->', '<!-- end of results -->'
TITLES = ('benchmark', 'quantity', 'measured', 'limit', '')
_BLOCK = re.compile(f'(?<={re.escape(START)}\n).*?(?={re.escape(END)})', re.DOTALL)


def in_order(results: dict[str, Any]) -> list[str]:
    """Returns the benchmarks of a device: those of the suite in its order, then others."""
    return sorted(results['benchmarks'], key=lambda name: SUITE.index(name) if name in SUITE else len(SUITE))


def rows(results: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yields a row for each entry of the `bounds` of a benchmark, in the order of the suite."""
    for benchmark in in_order(results):
        entry = results['benchmarks'][benchmark]
        for name, values in entry['result'].get('bounds', {}).items():
            bound = Bound(**values)
            yield benchmark, name, str(bound), bound.limit, bound.verdict


def terminal(file: Path) -> str:
    """Returns the table of a device for a terminal."""
    return terminal_table(Table.of(TITLES, rows(files.read_json(file))))


def summary(folder: Path = FOLDER) -> str:
    """Returns the table of each device in Markdown, below its name; '' without results."""
    devices = map(files.read_json, sorted(folder.glob('*.json')))
    return ''.join(
        f'**{_name(results)}**\n\n{markdown(Table.of(TITLES, rows(results)))}\n' for results in devices
    )


def details(folder: Path = FOLDER) -> str:
    """Returns the further tables of each benchmark and device in Markdown; '' without results."""
    sections = []
    for results in map(files.read_json, sorted(folder.glob('*.json'))):
        for benchmark in in_order(results):
            for title, table in results['benchmarks'][benchmark]['result'].get('tables', {}).items():
                heading = f'**{benchmark}**, {_name(results)}{f". {title}" if title else ""}:'
                sections.append(f'{heading}\n\n{markdown(Table.of(table["titles"], table["rows"]))}\n')
    return ''.join(sections)


DOCUMENTS = {REPOSITORY / 'README.md': summary, REPOSITORY / 'benchmarks' / 'README.md': details}


def _name(results: dict[str, Any]) -> str:
    """Returns the device, the versions and the day of the last measurement."""
    last = max(results['benchmarks'].values(), key=lambda entry: entry['measured'])
    python, jax = (last['packages'].get(name, 'unknown') for name in ('python', 'jax'))
    return f'{results["device"]}, Python {python}, jax {jax}, {last["measured"]}'


def with_tables(document: str, tables: str) -> str:
    """Returns a document with tables between its two comments.

    Raises:
      ValueError: the document lacks the comments.
    """
    replaced, count = _BLOCK.subn(lambda _: f'\n{tables}' if tables else '', document)
    if count != 1:
        raise ValueError(f'the document needs the lines {START} and {END}, once each.')
    return replaced


def main() -> None:
    """Prints the tables, and updates the documents that have a place for them."""
    print(summary(), end='')
    for path, make in DOCUMENTS.items():
        document = path.read_text(encoding='utf-8')
        if START in document:
            files.write_text(path, with_tables(document, make()))


if __name__ == '__main__':
    main()
