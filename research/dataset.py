"""Builds a dataset of data/ in the workspace, or lists them all."""

import argparse

from research import command_line, errors
from research.command_line import Parser
from research.errors import UserError

EXAMPLES = """\
  scripts/dataset.sh list
  scripts/dataset.sh build digits
  scripts/dataset.sh build digits --config=toy"""


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('dataset.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('command', choices=['build', 'list'])
    parser.add_argument('name', nargs='?', metavar='NAME', help='the dataset to build: its folder in data/')
    parser.add_argument('--config', help='full (default) or toy')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Builds or lists. Returns the exit code."""
    from research.engine import logs

    logs.silence_libraries()
    logs.to_terminal()
    if arguments.command == 'list':
        show()
    elif arguments.name is None:
        raise UserError('build which dataset? NAME is missing; scripts/dataset.sh list shows what there is.')
    else:
        build('/'.join(filter(None, [arguments.name, arguments.config])))
    return errors.FINISHED


def show() -> None:
    """Prints the name of each dataset and the title of its README."""
    from research import workspace
    from research.datasets import catalogue

    for name in catalogue.names():
        readme = workspace.REPOSITORY / 'data' / name / 'README.md'
        print(f'{name:20} {readme.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")}')


def build(name: str) -> None:
    """Builds the dataset `name` unless it is built, and prints what it holds."""
    from research import workspace
    from research.datasets.dataset import load

    dataset = load(name)
    counts = ', '.join(f'{split} {count}' for split, count in dataset.splits.items())
    print(f'{dataset.name} {dataset.version}: {counts}')
    print(f'fingerprint: {dataset.fingerprint}')
    print(f'dataset: {workspace.workspace() / "data" / name.partition("/")[0]}')


if __name__ == '__main__':
    command_line.run(main, parser())
