"""Prints the table of all results, and puts it into README.md.

    scripts/benchmark.sh table

Every number comes from `benchmarks/results/`. The table in README.md stands between two comments, and a test
compares it with the results, so nobody edits a number by hand.
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

README = REPOSITORY / 'README.md'
START, END = '<!-- results: scripts/benchmark.sh table -->', '<!-- end of results -->'
TITLES = ('benchmark', 'quantity', 'measured', 'limit', '')
_BLOCK = re.compile(f'(?<={re.escape(START)}\n).*?(?={re.escape(END)})', re.DOTALL)


def rows(results: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yields a row for each entry of the `bounds` of a benchmark, in the order of the suite."""
    benchmarks = results['benchmarks']
    for benchmark in sorted(benchmarks, key=lambda name: SUITE.index(name) if name in SUITE else len(SUITE)):
        entry = benchmarks[benchmark]
        for name, values in entry['result'].get('bounds', {}).items():
            bound = Bound(**values)
            yield benchmark, name, str(bound), bound.limit, bound.verdict


def of_device(file: Path) -> Table:
    """Returns the table of a device."""
    return Table.of(TITLES, rows(files.read_json(file)))


def terminal(file: Path) -> str:
    """Returns the table of a device for a terminal."""
    return terminal_table(of_device(file))


def text(folder: Path = FOLDER) -> str:
    """Returns the tables of all devices in Markdown, each below its device; '' without results."""
    return ''.join(
        f'{_heading(files.read_json(file))}\n\n{markdown(of_device(file))}\n'
        for file in sorted(folder.glob('*.json'))
    )


def _heading(results: dict[str, Any]) -> str:
    """Returns the device, the versions and the day of the last measurement."""
    last = max(results['benchmarks'].values(), key=lambda entry: entry['measured'])
    python, jax = (last['packages'].get(name, 'unknown') for name in ('python', 'jax'))
    return f'**{results["device"]}**, Python {python}, jax {jax}, {last["measured"]}'


def with_results(document: str, folder: Path = FOLDER) -> str:
    """Returns a document with the table between its two comments.

    Raises:
      ValueError: the document lacks the comments.
    """
    tables = text(folder)
    replaced, count = _BLOCK.subn(lambda _: f'\n{tables}' if tables else '', document)
    if count != 1:
        raise ValueError(f'the document needs the lines {START} and {END}, once each.')
    return replaced


def main() -> None:
    """Prints the tables, and updates README.md where it has a place for them."""
    print(text(), end='')
    document = README.read_text(encoding='utf-8')
    if START in document:
        files.write_text(README, with_results(document))


if __name__ == '__main__':
    main()
