"""Compares methods by their saved outputs: `scripts/compare.sh <runs or outputs>...`. Needs no JAX."""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine import errors, files
from engine.commands import bound_evaluator, command_line
from engine.evaluation.comparison import (
    comparison_document,
    comparison_inputs,
    comparison_table,
    cross_validation,
    methods,
    ranking,
)
from engine.evaluation.comparison.comparison_inputs import ComparisonInput
from engine.evaluation.comparison.methods import Method
from engine.evaluation.evaluator import MIN_RESAMPLES, Evaluator
from engine.evaluation.labels import external_labels
from engine.evaluation.pages import comparison_page
from engine.render import escape
from engine.render import table as tables
from engine.render.escape import printable
from engine.render.figures import rendered as figure_files
from engine.render.figures.rendered import RenderedFigure

FIGURES_LIST = 'figures.md'
EXAMPLES = """\
  scripts/compare.sh workspace/runs/wide workspace/runs/narrow      two runs
  scripts/compare.sh workspace/runs/sweep --split=val               all runs below a folder
  scripts/compare.sh <run> <outputs of scikit-learn> --intersect    on the examples that both have
  scripts/compare.sh <runs> --gin_file=cost.gin --metric=expected_cost  by a metric of your own
  scripts/compare.sh <runs of all folds>                            cross-validation: a method is all folds
  scripts/compare.sh <runs> --format=latex --output=table.tex       for a paper
  scripts/compare.sh <runs> --columns=parameters,accuracy,test --rows='wide=Wide MLP,narrow=MLP'
  scripts/compare.sh <runs> --format=html --output=report.html      a page: curves, classes, examples
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('compare.sh', 'Compares methods by their saved outputs.', EXAMPLES)
    arguments.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='a run, an outputs folder, or a folder of either'
    )
    arguments.add_argument('--split', default='test', help='which outputs of a run; test by default')
    arguments.add_argument(
        '--labels', metavar='FILE', help='labels by id: .csv, .npz, .json or other outputs'
    )
    arguments.add_argument('--metric', help="metric to sort and test by; by default the kind's first")
    arguments.add_argument(
        '--columns',
        metavar='NAMES',
        type=lambda text: tuple(name.strip() for name in text.split(',') if name.strip()),
        default=(),
        help='columns after the name, in this order: metrics, parameters, seeds, commit, pooled, test',
    )
    arguments.add_argument(
        '--rows',
        metavar='RUN=NAME',
        action='append',
        default=[],
        help='names of methods: wide=Wide MLP,small=MLP',
    )
    arguments.add_argument(
        '--intersect', action='store_true', help='compare on the examples that all outputs have'
    )
    arguments.add_argument(
        '--resamples',
        type=int,
        default=10000,
        help='bootstrap resamples; 10000 by default. Overrides the config',
    )
    arguments.add_argument(
        '--format', choices=(*tables.FORMATS, 'html'), default='markdown', help='markdown by default'
    )
    arguments.add_argument('--output', metavar='FILE', help='where to write; printed by default')
    arguments.add_argument('--overwrite', action='store_true', help='replace an earlier file')
    arguments.add_gin_arguments()
    arguments.add_json_argument('the comparison')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Compares the methods, and prints or writes the comparison; returns the exit code."""
    target = Path(arguments.output) if arguments.output else None
    if target:
        files.check_file(target, arguments.overwrite)
        if arguments.format == 'html':
            files.check_replaceable(figures_folder(target), FIGURES_LIST, arguments.overwrite)
    evaluator, config = bound_evaluator.build(arguments.gin_file, arguments.gin_bindings, arguments.trust)
    evaluator = replace(evaluator, resamples=arguments.resamples)
    inputs, left_out = read(arguments)
    compared = evaluated(inputs, evaluator)
    bound_evaluator.operative(config)
    metric = arguments.metric or compared[0].reports[0].headline[0]
    named = methods.named(compared, row_names(arguments.rows))
    ordered = ranking.ordered(named, metric)
    formats = evaluator.figure_formats if target else ()
    text, notes, figures = rendered(ordered, metric, arguments, left_out, formats)
    if target and figures and formats:
        notes += [write_figures(figures, target, arguments.overwrite)]
    show(text, target)
    notes = dict.fromkeys([*notes, *(external_labels.note(source.outputs) for source in inputs)])
    sys.stderr.writelines(f'{printable(sentence)}\n' for sentence in notes if sentence)
    if arguments.json:
        compared = comparison_document.document(ordered, ranking.ranking(ordered, metric), metric)
        command_line.print_json({**compared, 'left_out': left_out, 'comparison': target})
    return errors.EXIT_FINISHED


def row_names(pairs: Sequence[str]) -> dict[str, str]:
    """Returns run to name.

    >>> row_names(['wide=Wide, 2 layers,narrow=MLP'])
    {'wide': 'Wide, 2 layers', 'narrow': 'MLP'}

    Raises:
      UserError: a pair lacks its run or its name.
    """
    names = {}
    for pair in (pair for text in pairs for pair in re.split(r',(?=[^,=]+=)', text)):
        run, _, name = pair.partition('=')
        if not run.strip() or not name.strip():
            raise errors.UserError(f"--rows={pair} is not a run and its name. Write --rows='{pair}=NAME'.")
        names[run.strip()] = name.strip()
    return names


def read(arguments: argparse.Namespace) -> tuple[list[ComparisonInput], list[str]]:
    """Reads the outputs, cuts them to the same examples and adds the labels of `--labels`.

    Returns:
      The inputs, and a note for each one that is left out.
    """
    inputs, without_outputs = comparison_inputs.find(arguments.inputs, arguments.split)
    inputs, duplicates = comparison_inputs.without_duplicates(inputs)
    is_divided = cross_validation.is_divided(inputs)
    inputs = comparison_inputs.common(inputs, arguments.intersect)
    if is_divided:
        cross_validation.check_disjoint(inputs)
    if arguments.labels is not None:
        path, part = Path(arguments.labels), arguments.intersect or is_divided
        inputs = [
            replace(source, outputs=external_labels.add(source.outputs, path, part)) for source in inputs
        ]
    comparison_inputs.check_comparable(inputs)
    return inputs, [*without_outputs, *duplicates]


def evaluated(inputs: Sequence[ComparisonInput], evaluator: Evaluator) -> list[Method]:
    """Returns the methods with their reports."""
    if not cross_validation.is_divided(inputs):
        return methods.from_inputs(inputs, [evaluator.report_on(source.outputs) for source in inputs])
    quick = replace(evaluator, resamples=MIN_RESAMPLES)  # nobody reads the intervals of a fold
    return cross_validation.methods(inputs, evaluator.report_on, quick.report_on)


def rendered(
    ordered: Sequence[Method],
    metric: str,
    arguments: argparse.Namespace,
    left_out: Sequence[str],
    formats: Sequence[str],
) -> tuple[str, list[str], Sequence[RenderedFigure]]:
    """Returns the comparison as text, notes for which the format has no place, and the figures of a page."""
    ranks, form = ranking.ranking(ordered, metric), arguments.format
    if form == 'html':
        page = comparison_page.page(ordered, ranks, metric, arguments.columns, left_out, formats)
        return page.html, [], page.figures
    table = comparison_table.table(
        ordered, ranks, metric, arguments.columns, in_numbers=form == 'csv', without_digests=form != 'csv'
    )
    table = replace(table, note=' '.join([table.note, *left_out]))
    return tables.FORMATS[form](table), [table.note] if form == 'csv' else [], []


def figures_folder(page: Path) -> Path:
    """Returns the folder for the figures of a page: beside it, and named after it."""
    return page.with_name(f'{page.stem}_figures')


def write_figures(figures: Sequence[RenderedFigure], page: Path, overwrite: bool) -> str:
    """Writes the figures of a page beside it.

    Returns:
      A note on the figures; '' if there is nothing to note.
    """
    folder = figures_folder(page)
    with files.user_folder(folder, FIGURES_LIST, overwrite) as temporary:
        lines = [f'- `{figure.stem}`: {escape.markdown(figure.title)}\n' for figure in figures]
        (temporary / FIGURES_LIST).write_text(''.join(lines), encoding='utf-8')
        figure_files.write_all(figures, temporary)
    print(printable(f'figures: {folder}'))
    return figure_files.note(figures)


def show(text: str, target: Path | None) -> None:
    """Writes the comparison to `target`, or prints it."""
    if not target:
        print(printable(text), end='')
        return
    files.user_file(target, text.encode())
    print(printable(f'comparison: {target}'))


if __name__ == '__main__':
    command_line.run(main, parser())
