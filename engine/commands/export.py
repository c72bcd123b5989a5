"""Writes submissions from saved outputs: `scripts/export.sh <outputs>... --format=csv`. Needs no JAX."""

import argparse

from engine import errors, files
from engine.commands import command_line, outputs_arguments
from engine.evaluation import export
from engine.render.escape import printable

EXAMPLES = """\
  scripts/export.sh <run>/outputs/test --format=csv       a table: predictions, boxes or numbers
  scripts/export.sh <run>/outputs/test --format=coco      COCO's results, of boxes and masks
  scripts/export.sh <run> --format=npz --output=results   all arrays, of all outputs of a run
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('export.sh', 'Writes submissions from saved outputs.', EXAMPLES)
    outputs_arguments.add(arguments)
    arguments.add_argument(
        '--format', required=True, help='csv, npz, coco, or a form that the kind of outputs defines'
    )
    outputs_arguments.add_target(arguments, 'export/')
    arguments.add_json_argument('the paths of the submissions')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Checks all outputs, then writes all submissions; returns the exit code."""
    folders = outputs_arguments.find(arguments)
    all_outputs = [outputs_arguments.read(arguments, folder) for folder in folders]
    forms = [export.form(outputs, arguments.format) for outputs in all_outputs]
    targets = outputs_arguments.targets(arguments, folders, 'export')
    submissions = [target / f'submission{form.ending}' for target, form in zip(targets, forms, strict=True)]
    for file in submissions:
        files.check_file(file, arguments.overwrite)
    for outputs, form, file in zip(all_outputs, forms, submissions, strict=True):
        export.write(outputs, form, file)
        print(printable(f'submission: {file}'))
    if arguments.json:
        command_line.print_json({'submissions': submissions})
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
