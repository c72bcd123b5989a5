"""Compares methods by their saved outputs: `scripts/compare.sh <runs or outputs>...`. Needs no JAX."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine import errors, files
from engine.commands import bound_evaluator, command_line
from engine.evaluation.comparison import comparison_inputs, comparison_table, methods, ranking
from engine.evaluation.comparison.methods import Method
from engine.evaluation.labels import external_labels
from engine.evaluation.pages import comparison_page
from engine.render import table as tables
from engine.render.escape import printable

EXAMPLES = """\
  scripts/compare.sh workspace/runs/wide workspace/runs/narrow      two runs
  scripts/compare.sh workspace/runs/sweep --split=val               all runs below a folder
  scripts/compare.sh <run> <outputs of scikit-learn> --intersect    on the examples that both have
  scripts/compare.sh <runs> --gin_file=cost.gin --metric=expected_cost  by a metric of yours
  scripts/compare.sh <runs> --format=latex --output=table.tex       for a paper
  scripts/compare.sh <runs> --format=html --output=report.html      a page: curves, classes, examples
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    made = command_line.Parser('compare.sh', 'Compares methods by their saved outputs.', EXAMPLES)
    made.add_argument(
        'sources', nargs='+', metavar='SOURCE', help='a run, an outputs folder, or a folder that holds some'
    )
    made.add_argument('--split', default='test', help='which outputs of a run; test by default')
    made.add_argument('--labels', metavar='FILE', help='the truth, by id: .csv, .npz, .json or other outputs')
    made.add_argument('--metric', help="what to sort and to test by; by default the kind's first")
    made.add_argument(
        '--intersect', action='store_true', help='cut outputs to the examples that all of them have'
    )
    made.add_argument(
        '--resamples',
        type=int,
        default=10000,
        help='bootstrap resamples; 10000 by default, whatever a config says',
    )
    made.add_argument(
        '--format', choices=(*tables.FORMATS, 'html'), default='markdown', help='markdown by default'
    )
    made.add_argument('--output', metavar='FILE', help='where to write; printed by default')
    made.add_argument('--overwrite', action='store_true', help='replace an earlier file')
    made.add_gin_arguments()
    return made


def main(arguments: argparse.Namespace) -> int:
    """Reads, compares, and prints or writes; returns the exit code."""
    target = Path(arguments.output) if arguments.output else None
    if target:
        files.check_file(target, arguments.overwrite)
    evaluator, config = bound_evaluator.build(arguments.gin_file, arguments.gin_bindings)
    evaluator = replace(evaluator, resamples=arguments.resamples)
    found = comparison_inputs.find(arguments.sources, arguments.split)
    cut = comparison_inputs.common(found, arguments.intersect)
    if arguments.labels is not None:
        path, part = Path(arguments.labels), arguments.intersect
        cut = [replace(each, outputs=external_labels.add(each.outputs, path, part)) for each in cut]
    comparison_inputs.check_comparable(cut)
    reports = [evaluator.report_on(each.outputs) for each in cut]
    bound_evaluator.operative(config)
    by = arguments.metric or reports[0].headline[0]
    made, note = rendered(ranking.ordered(methods.from_inputs(cut, reports), by), by, arguments.format)
    show(made, target)
    notes = dict.fromkeys([note, *(external_labels.said(each.outputs) for each in cut)])
    sys.stderr.writelines(f'{printable(each)}\n' for each in notes if each)
    return errors.EXIT_FINISHED


def rendered(ordered: Sequence[Method], by: str, form: str) -> tuple[str, str]:
    """Returns the comparison in a format, and the note for which that has no place."""
    ranks = ranking.ranking(ordered, by)
    if form == 'html':
        return comparison_page.page(ordered, ranks, by), ''
    made = comparison_table.table(ordered, ranks, by, in_numbers=form == 'csv')
    return tables.FORMATS[form](made), made.note if form == 'csv' else ''


def show(text: str, target: Path | None) -> None:
    """Writes the table to `target`, or prints it."""
    if not target:
        print(printable(text), end='')
        return
    files.user_file(target, text.encode())
    print(printable(f'comparison: {target}'))


if __name__ == '__main__':
    command_line.run(main, parser())
