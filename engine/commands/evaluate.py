"""Evaluates saved outputs: `scripts/eval.sh <outputs>...`. Needs neither JAX nor the model."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine import errors
from engine import files as folders
from engine.commands import bound_evaluator, command_line
from engine.errors import UserError
from engine.evaluation import export
from engine.evaluation.labels import external_labels
from engine.evaluation.results import report, report_files
from engine.evaluation.results.report import Report
from engine.outputs import outputs
from engine.outputs.outputs import Outputs
from engine.render import table as tables
from engine.render.escape import printable

EXAMPLES = """\
  scripts/eval.sh <run>/outputs/test                 one split
  scripts/eval.sh <run>                              all outputs of a run, compared
  scripts/eval.sh <run> --output=results             written there, not into the run
  scripts/eval.sh --check <outputs>                  only: are they as docs/outputs.md says?
  scripts/eval.sh <outputs> --labels=test.csv        truth that came later
  scripts/eval.sh <outputs> --export=csv             a submission; or npz, or coco for boxes and masks
  scripts/eval.sh <outputs> --gin_file=cost.gin      metrics of yours (docs/metrics.md), other settings
  scripts/eval.sh <run>/outputs/test --overwrite \\
      --gin_bindings='engine.evaluation.evaluator.Evaluator.resamples = 10000'
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    made = command_line.Parser('eval.sh', 'Evaluates saved outputs, offline.', EXAMPLES)
    made.add_argument(
        'outputs', nargs='+', metavar='OUTPUTS', help='an outputs folder, or one that holds some'
    )
    made.add_argument(
        '--output', metavar='DIR', help='where to write; by default evaluation/ in each outputs folder'
    )
    made.add_argument('--labels', metavar='FILE', help='the truth, by id: .csv, .npz, .json or other outputs')
    instead = made.add_mutually_exclusive_group()
    instead.add_argument('--check', action='store_true', help='verify the outputs and write nothing')
    instead.add_argument(
        '--export',
        choices=export.ENDINGS,
        help='write a submission and evaluate nothing; by default to export/ in each outputs folder',
    )
    made.add_argument('--overwrite', action='store_true', help='replace what was written earlier')
    made.add_gin_arguments()
    return made


def main(arguments: argparse.Namespace) -> int:
    """Evaluates, writes and prints; returns the exit code."""
    evaluator, config = bound_evaluator.build(arguments.gin_file, arguments.gin_bindings)
    found = outputs.find(arguments.outputs)
    if config and (arguments.check or arguments.export):
        raise UserError('--check and --export evaluate nothing: leave out --gin_file and --gin_bindings.')
    if arguments.check:
        return check(found, arguments.labels)
    names = folders.short_names(found)
    if arguments.export:
        return submit(found, names, arguments)
    targets = [target(folder, name, arguments.output) for folder, name in zip(found, names, strict=True)]
    for each in targets:
        folders.check_replaceable(each, report_files.METRICS, arguments.overwrite)
    reports = [evaluator.report_on(read(folder, arguments.labels)) for folder in found]
    bound = bound_evaluator.operative(config)
    for each, where in zip(reports, targets, strict=True):
        report_files.write(replace(each, config=bound), where, arguments.overwrite)
    show(names, reports)
    notes = filter(None, (external_labels.said(each.outputs) for each in reports))
    pages = (f'report: {where / report_files.PAGE}' for where in targets)
    places = (f'evaluation: {where}' for where in targets)
    print(*map(printable, (*notes, *pages, *places)), sep='\n')
    return errors.EXIT_FINISHED


def read(folder: Path, labels: str | None) -> Outputs:
    """Reads outputs, with the truth of the file `labels` if there is one."""
    found = outputs.read(folder)
    return found if labels is None else external_labels.add(found, Path(labels))


def check(found: Sequence[Path], labels: str | None) -> int:
    """Verifies outputs folders; raises `UserError` at the first that is not sound. Returns the exit code."""
    for folder in found:
        sound = read(folder, labels)
        print(
            f'{sound.kind}, {len(sound.ids)} examples: {", ".join(sound.arrays)}',
            printable(f'sound: {folder}'),
            sep='\n',
        )
    return errors.EXIT_FINISHED


def submit(found: Sequence[Path], names: Sequence[str], arguments: argparse.Namespace) -> int:
    """Exports outputs; returns the exit code."""
    form = arguments.export
    predicted = [read(folder, arguments.labels) for folder in found]
    files = [
        target(folder, name, arguments.output, 'export') / f'submission{export.ENDINGS[form]}'
        for folder, name in zip(found, names, strict=True)
    ]
    for each, file in zip(predicted, files, strict=True):
        folders.check_file(file, arguments.overwrite)
        export.check(each, form)
    for each, file in zip(predicted, files, strict=True):
        export.write(each, form, file)
        print(printable(f'submission: {file}'))
    return errors.EXIT_FINISHED


def target(folder: Path, name: str, output: str | None, inside: str = 'evaluation') -> Path:
    """Returns where what is made of an outputs folder goes."""
    return Path(output) / name if output else folder / inside


def show(names: Sequence[str], reports: Sequence[Report]) -> None:
    """Prints all metrics of a single report, or the headline metrics of several beside each other."""
    if len(reports) == 1:
        print(reports[0].title(), tables.terminal(reports[0].table()), sep='\n\n')
    else:
        print(tables.terminal(report.comparison(names, reports)))


if __name__ == '__main__':
    command_line.run(main, parser())
