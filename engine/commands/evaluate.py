"""Evaluates saved outputs: `scripts/eval.sh <outputs>...`. Needs neither JAX nor the model."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import errors, files
from engine.commands import bound_evaluator, command_line, outputs_arguments
from engine.evaluation.labels import external_labels
from engine.evaluation.results import report, report_files
from engine.evaluation.results.report import Report
from engine.outputs.outputs import Outputs
from engine.render import table as tables
from engine.render.escape import printable

EXAMPLES = """\
  scripts/eval.sh <run>/outputs/test                 one split
  scripts/eval.sh <run>                              all outputs of a run, compared
  scripts/eval.sh <run> --output=results             written there, not into the run
  scripts/eval.sh <outputs> --labels=test.csv        labels that came later
  scripts/eval.sh <outputs> --gin_file=cost.gin      metrics of yours (docs/metrics.md), other settings
  scripts/eval.sh <run>/outputs/test --overwrite \\
      --gin_bindings='engine.evaluation.evaluator.Evaluator.resamples = 10000'
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('eval.sh', 'Evaluates saved outputs, offline.', EXAMPLES)
    outputs_arguments.add(arguments)
    outputs_arguments.add_target(arguments, 'evaluation/')
    arguments.add_gin_arguments()
    arguments.add_json_argument('the metrics')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Evaluates, writes and prints; returns the exit code."""
    evaluator, config = bound_evaluator.build(arguments.gin_file, arguments.gin_bindings, arguments.trust)
    read = [outputs_arguments.read(arguments, folder) for folder in outputs_arguments.find(arguments)]
    labelled, unlabelled = _by_labels(read)
    folders = [saved.folder for saved in labelled]
    targets = outputs_arguments.targets(arguments, folders, 'evaluation')
    for target in targets:
        files.check_replaceable(target, report_files.METRICS, arguments.overwrite)
    reports = [evaluator.report_on(saved) for saved in labelled]
    bindings = bound_evaluator.operative(config)
    figure_notes = [
        report_files.write(
            replace(evaluated, config=bindings), target, arguments.overwrite, evaluator.figure_formats
        )
        for evaluated, target in zip(reports, targets, strict=True)
    ]
    show(files.short_names(folders), reports)
    notes = filter(
        None,
        [
            *(external_labels.note(shown.outputs) for shown in reports),
            *dict.fromkeys(figure_notes),
            *(
                f'note: {saved.folder} is left out: it has no labels.{saved.page_hint}'
                for saved in unlabelled
            ),
        ],
    )
    pages = (f'report: {target / report_files.PAGE}' for target in targets)
    places = (f'evaluation: {target}' for target in targets)
    print(*map(printable, (*notes, *pages, *places)), sep='\n')
    if arguments.json:
        command_line.print_json({'evaluations': list(map(document, reports, folders, targets))})
    return errors.EXIT_FINISHED


def document(evaluated: Report, outputs: Path, target: Path) -> dict[str, Any]:
    """Returns the content of metrics.json, with the folders of the outputs and of the evaluation."""
    return {
        'outputs': outputs,
        'evaluation': target,
        'report': target / report_files.PAGE,
    } | evaluated.as_json()


def _by_labels(read: Sequence[Outputs]) -> tuple[list[Outputs], list[Outputs]]:
    """Returns the outputs to evaluate and those to leave out: without labels, if others have some."""
    labelled = [saved for saved in read if saved.has_labels] or [*read]
    return labelled, [saved for saved in read if not any(saved is other for other in labelled)]


def show(names: Sequence[str], reports: Sequence[Report]) -> None:
    """Prints all metrics of a single report, or the headline metrics of several beside each other."""
    if len(reports) == 1:
        print(reports[0].title(), tables.terminal_groups(reports[0].metric_tables()), sep='\n\n')
        for footnote in reports[0].footnotes:
            print(printable(footnote))
    else:
        print(tables.terminal(report.comparison(names, reports)))


if __name__ == '__main__':
    command_line.run(main, parser())
