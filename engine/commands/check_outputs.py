"""Checks that outputs are as docs/outputs.md says: `scripts/check_outputs.sh <outputs>...`. Needs no JAX."""

import argparse

from engine import errors
from engine.commands import command_line, outputs_arguments
from engine.render.escape import printable

EXAMPLES = """\
  scripts/check_outputs.sh <outputs>                     names, shapes, dtypes, ids and checksums
  scripts/check_outputs.sh <outputs> --labels=test.csv   labels that came later too
"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('check_outputs.sh', 'Checks outputs and writes nothing.', EXAMPLES)
    outputs_arguments.add(arguments)
    arguments.add_json_argument('kind, number of examples and arrays of each outputs folder')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Verifies outputs folders; raises `UserError` at the first damaged one. Returns the exit code."""
    documents = []
    for folder in outputs_arguments.find(arguments):
        sound = outputs_arguments.read(arguments, folder)
        print(
            printable(f'{sound.kind}, {len(sound.ids)} examples: {", ".join(sound.arrays)}'),
            printable(f'sound: {folder}'),
            sep='\n',
        )
        arrays = {name: [*array.shape] for name, array in sound.arrays.items()}
        documents.append({'folder': folder, 'kind': sound.kind, 'examples': len(sound.ids), 'shapes': arrays})
    if arguments.json:
        command_line.print_json({'outputs': documents})
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
