"""Merges the newest version of the template into this project, which was forked from it.

The project's own files stay as they are: README.md, LICENSE, CHANGELOG.md, its name and version in
pyproject.toml, tests/research/, tests/data/, and all files that it added. Files of the template that the
project deleted stay deleted.
"""

import argparse

from engine import errors
from engine.commands import command_line
from engine.forks import merge
from engine.forks.repository import Repository
from engine.workspace import REPOSITORY

EXAMPLES = """\
  scripts/update.sh
  git remote set-url template <address>      if the template has moved"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    parser = command_line.Parser('update.sh', __doc__ or '', EXAMPLES)
    parser.add_json_argument('the merged version')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Merges the newest version; returns the exit code."""
    version = merge.update(Repository(REPOSITORY))
    if version:
        print(f'Merged {version}. Now check that everything works: scripts/test.sh')
        print('To undo the update: git reset --keep HEAD~1')
    else:
        print("Nothing is new: this project already contains the template's newest version.")
    if arguments.json:
        command_line.print_json({'merged': version or None})
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
