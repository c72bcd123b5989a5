"""Starts a project of your own from this template: a git repository that can merge its later versions."""

import argparse
from pathlib import Path

from engine import errors
from engine.commands import command_line
from engine.forks import project
from engine.forks.template import EXAMPLES_FILE

EXAMPLES = """\
  scripts/fork.sh ../petals --name=petals
  scripts/fork.sh ../petals --name=petals --title='Petals at dawn' --holder='Jane Doe' --examples=drop"""


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    parser = command_line.Parser('fork.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('folder', metavar='FOLDER', help='a new folder outside this repository')
    parser.add_argument(
        '--name', required=True, help='the name in pyproject.toml, and of the folder of runs in the workspace'
    )
    parser.add_argument('--title', help='the heading of README.md; by default the name')
    parser.add_argument(
        '--holder', help="who holds the rights, for LICENSE; by default git's setting user.name"
    )
    parser.add_argument(
        '--examples',
        choices=['keep', 'drop'],
        default='keep',
        help=f'the files listed in {EXAMPLES_FILE}: example experiments, datasets and models, and the tests '
        'that need them; by default keep',
    )
    parser.add_json_argument('the folder of the project')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Creates the project; returns the exit code."""
    folder = Path(arguments.folder).resolve()
    choices = project.Project(
        name=arguments.name,
        title=arguments.title or arguments.name,
        holder=arguments.holder or '',
        keeps_examples=arguments.examples == 'keep',
    )
    project.create(choices, folder)
    print(
        'scripts/update.sh merges later versions of the template. Their address: git remote get-url template'
    )
    print(f'project: {folder}')
    if arguments.json:
        command_line.print_json({'project': folder, 'name': choices.name})
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
