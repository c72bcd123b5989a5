"""Builds datasets and lists them: `scripts/dataset.sh`."""

import argparse
import logging

from research.command_line import FINISHED, Parser, run
from research.engine import datasets, workspace
from research.errors import UserError

EXAMPLES = """\
  scripts/dataset.sh list
  scripts/dataset.sh build digits
  scripts/dataset.sh build digits --config=toy"""


def parser() -> Parser:
    """Returns the parser of the command line."""
    parser = Parser('dataset.sh', 'Builds a dataset of data/ in the workspace, or lists them all.', EXAMPLES)
    parser.add_argument('command', choices=['build', 'list'])
    parser.add_argument('name', nargs='?', help='the dataset to build: the name of its folder in data/')
    parser.add_argument('--config', help='full (default) or toy')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Does what the command line says. Returns the exit code."""
    if arguments.command == 'list':
        show()
    elif arguments.name is None:
        raise UserError('Build which dataset? For example: scripts/dataset.sh build ' + datasets.names()[0])
    else:
        build('/'.join(filter(None, [arguments.name, arguments.config])))
    return FINISHED


def show() -> None:
    """Prints the name of each dataset and the title of its README."""
    for name in datasets.names():
        readme = workspace.REPOSITORY / 'data' / name / 'README.md'
        print(f'{name:20} {readme.read_text().splitlines()[0].lstrip("# ")}')


def build(name: str) -> None:
    """Builds the dataset `name` unless it is built, and prints what it holds."""
    dataset = datasets.load(name)
    counts = ', '.join(f'{split} {count}' for split, count in dataset.splits.items())
    print(f'{dataset.name} {dataset.version}: {counts}')
    print(f'fingerprint: {dataset.fingerprint}')
    print(f'dataset: {workspace.workspace() / "data" / name.partition("/")[0]}')


if __name__ == '__main__':
    logging.basicConfig(format='%(message)s')
    logging.getLogger('research').setLevel(logging.INFO)
    run(main, parser())
