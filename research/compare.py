"""Compares methods by their saved outputs: `scripts/compare.sh <runs or outputs>...`. Needs no JAX."""

import argparse
import sys
from pathlib import Path

from research import command_line, errors
from research.errors import UserError
from research.evaluation import comparison, groups, sources, tables
from research.evaluation.evaluator import Evaluator
from research.harmless import printable

EXAMPLES = """\
  scripts/compare.sh workspace/runs/wide workspace/runs/narrow      two runs
  scripts/compare.sh workspace/runs/sweep --split=val               all runs below a folder
  scripts/compare.sh <run> <outputs of scikit-learn> --intersect    on the examples that both have
  scripts/compare.sh <runs> --format=latex --output=table.tex       for a paper
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    made = command_line.Parser('compare.sh', 'Compares methods by their saved outputs.', EXAMPLES)
    made.add_argument(
        'sources', nargs='+', metavar='SOURCE', help='a run, an outputs folder, or a folder that holds some'
    )
    made.add_argument('--split', default='test', help='which outputs of a run; test by default')
    made.add_argument('--metric', help="what to sort and to test by; by default the kind's first")
    made.add_argument(
        '--intersect', action='store_true', help='cut outputs to the examples that all of them have'
    )
    made.add_argument('--draws', type=int, default=10000, help='bootstrap resamples; 10000 by default')
    made.add_argument('--format', choices=tables.FORMATS, default='markdown', help='markdown by default')
    made.add_argument('--output', metavar='FILE', help='where to write; printed by default')
    made.add_argument('--overwrite', action='store_true', help='replace an earlier file')
    return made


def main(arguments: argparse.Namespace) -> int:
    """Reads, compares, and prints or writes; returns the exit code."""
    target = Path(arguments.output) if arguments.output else None
    if target:
        check_target(target, arguments.overwrite)
    evaluator = Evaluator(draws=arguments.draws)
    found = sources.find(arguments.sources, arguments.split)
    cut = sources.common(found, arguments.intersect)
    reports = [evaluator.report_on(each.outputs) for each in cut]
    methods = groups.by_method(cut, reports)
    made = comparison.table(methods, arguments.metric or reports[0].headline[0], arguments.format == 'csv')
    show(tables.FORMATS[arguments.format](made), target)
    if arguments.format == 'csv':
        print(made.note, file=sys.stderr)
    return errors.FINISHED


def check_target(target: Path, overwrite: bool) -> None:
    """Raises `UserError` if something stands at `target` that may not be replaced."""
    if target.is_dir():
        raise UserError(f'{target} is a folder. Choose a name for the file.')
    if target.exists() and not overwrite:
        raise UserError(f'{target} exists already. Pass --overwrite to replace it, or choose another file.')


def show(text: str, target: Path | None) -> None:
    """Writes the table to `target`, or prints it."""
    if not target:
        print(printable(text), end='')
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding='utf-8')
    print(f'comparison: {target}')


if __name__ == '__main__':
    command_line.run(main, parser())
