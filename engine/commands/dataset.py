"""Begins, builds, checks, shows and lists the datasets of data/."""

import argparse

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.datasets.load import load
from engine.errors import UserError

EXAMPLES = """\
  scripts/dataset.sh list
  scripts/dataset.sh build digits
  scripts/dataset.sh check digits --config=toy    is all as it should be?
  scripts/dataset.sh explore digits               a page to look at
  scripts/dataset.sh build tfds:mnist             of TensorFlow Datasets' catalogue
  scripts/dataset.sh check images:~/flowers       <split>/<class>/*.jpg, or lists: <split>.csv
  scripts/dataset.sh new petals --kind=images     a working dataset, to be filled in"""
NEW, BUILD, CHECK, EXPLORE, LIST = 'new', 'build', 'check', 'explore', 'list'
KINDS = ('images', 'masks', 'text', 'arrays')


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('dataset.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('command', choices=[NEW, BUILD, CHECK, EXPLORE, LIST])
    parser.add_argument('name', nargs='?', metavar='NAME', help='a folder of data/, images:FOLDER, tfds:NAME')
    parser.add_argument('--config', help='full (default) or toy')
    parser.add_argument('--kind', choices=KINDS, help='for new: what the examples are')
    parser.add_argument(
        '--register_checksums', action='store_true', help='for build: states the originals as they are now'
    )
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Does what is asked. Returns the exit code."""
    from engine.runs import text_log

    text_log.silence_libraries()
    text_log.to_terminal()
    _check_arguments(arguments)
    if arguments.command == LIST:
        return show()
    if arguments.command == NEW:
        return begin(arguments.name, arguments.kind)
    name = '/'.join(filter(None, [arguments.name, arguments.config]))  # of one of data/
    if arguments.command == CHECK:
        return check(name)
    if arguments.command == EXPLORE:
        return explore(name)
    if arguments.register_checksums:
        register(arguments.name)
    return build(name)


def _check_arguments(arguments: argparse.Namespace) -> None:
    """Raises `UserError` unless the arguments fit the command."""
    command = arguments.command
    if command != LIST and arguments.name is None:
        raise UserError(
            f'{command} which dataset? NAME is missing; scripts/dataset.sh list shows what there is.'
        )
    if command == NEW and not arguments.kind:
        raise UserError(
            f'new needs --kind, one of {", ".join(KINDS)}: what are the examples of {arguments.name}?'
        )
    given = {'kind': {NEW}, 'register_checksums': {BUILD}, 'config': {BUILD, CHECK, EXPLORE}}
    for flag, commands in given.items():
        if getattr(arguments, flag) and command not in commands:
            raise UserError(f'--{flag} belongs to {", ".join(sorted(commands))}, not to {command}.')


def show() -> int:
    """Prints each dataset: its name, its counts if it is built, the title of its README."""
    from engine.datasets.catalogue import overview
    from engine.render import table as tables

    titles = ['dataset', 'built', 'examples', 'title']
    print(tables.terminal(tables.Table.of(titles, overview.rows())), end='')
    return errors.EXIT_FINISHED


def begin(name: str, kind: str) -> int:
    """Makes the working folder of a new dataset, and says what to do with it."""
    from engine.datasets import new

    made = new.make(name, kind)
    if missing := new.missing_modules(name):
        print(
            f'configs/{name}.gin names {" and ".join(missing)}, which this project left out. Bring it back:\n'
            f'  git fetch template && git checkout FETCH_HEAD -- {" ".join(missing)}\n'
            'or name a model of your own there.'
        )
    print(f'Try it as it is; then work through the places marked EDIT:\n  grep -rn EDIT {" ".join(made)}')
    for command in (BUILD, CHECK, EXPLORE):
        print(f'  scripts/dataset.sh {command} {name}')
    print(f'  scripts/train.sh --gin_file=configs/{name}.gin\ndataset: data/{name}')
    return errors.EXIT_FINISHED


def build(name: str) -> int:
    """Builds the dataset `name` unless it is built, and prints what it holds."""
    from engine.datasets.catalogue.names import DatasetName

    dataset = load(name)
    counts = ', '.join(f'{split} {count}' for split, count in dataset.splits.items())
    print(f'{dataset.name} {dataset.version}: {counts}')
    print(f'fingerprint: {dataset.fingerprint}')
    print(f'dataset: {DatasetName.parse(name).home}')
    return errors.EXIT_FINISHED


def register(name: str) -> None:
    """Has `checksums.tsv` state the originals of every config as they are now."""
    from engine.datasets.catalogue import builders

    cls = type(builders.builder(name))
    if not hasattr(cls, 'register_checksums'):
        raise UserError(
            f'the builder of {name} is no FolderBuilder (engine/datasets/building/folder_builder.py).'
        )
    cls.register_checksums([builders.builder(f'{name}/{config}') for config in cls.builder_configs])


def check(name: str) -> int:
    """Prints what each check finds, and the fingerprint. Returns the exit code: 1 if something is wrong."""
    from engine.datasets.checks import check
    from engine.render import table as tables

    subject = check.Subject(name)
    findings = list(check.run(subject))
    rows = [(each.check, each.verdict, each.what) for each in findings]
    print(tables.terminal(tables.Table.of(['check', 'verdict', 'what'], rows)))
    is_wrong = any(each.verdict == check.WRONG for each in findings)
    print(f'{subject.name}: {"something is wrong" if is_wrong else "all is well"}')
    if not is_wrong:
        print(f'fingerprint: {subject.dataset.fingerprint}')
    return errors.EXIT_FAILED if is_wrong else errors.EXIT_FINISHED


def explore(name: str) -> int:
    """Writes the page that shows a dataset, and says where it is."""
    from engine.datasets.pages import explore

    print(f'page: {explore.write(name)}')
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
