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
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Verifies outputs folders; raises `UserError` at the first damaged one. Returns the exit code."""
    for folder in outputs_arguments.find(arguments):
        sound = outputs_arguments.read(arguments, folder)
        print(
            printable(f'{sound.kind}, {len(sound.ids)} examples: {", ".join(sound.arrays)}'),
            printable(f'sound: {folder}'),
            sep='\n',
        )
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
