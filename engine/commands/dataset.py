"""Creates, builds, checks, shows and lists datasets."""

import argparse
from dataclasses import asdict

from engine import errors
from engine.commands import command_line
from engine.commands.command_line import Parser
from engine.errors import UserError
from engine.processes import devices

EXAMPLES = """\
  scripts/dataset.sh list
  scripts/dataset.sh build digits
  scripts/dataset.sh check digits --config=toy    verifies files, arrays and README.md
  scripts/dataset.sh check tfds:imagenet2012 --sample=10000    checks 10,000 of its examples
  scripts/dataset.sh explore digits               writes a page with examples and statistics
  scripts/dataset.sh build tfds:mnist             from TensorFlow Datasets' catalogue
  scripts/dataset.sh check images:~/flowers       <split>/<class>/*.jpg, or lists: <split>.csv
  scripts/dataset.sh explore 'text:~/hamlet.txt?length=64&vocabulary=bpe'    windows of a text
  scripts/dataset.sh new petals --kind=images     a working dataset to edit"""
NEW, BUILD, CHECK, EXPLORE, LIST = 'new', 'build', 'check', 'explore', 'list'
KINDS = ('images', 'masks', 'text', 'arrays')
# The commands that take each flag.
FLAGS = {
    'kind': {NEW},
    'register_checksums': {BUILD},
    'allow_damaged': {BUILD},
    'config': {BUILD, CHECK, EXPLORE},
    'sample': {CHECK},
}


def parser() -> Parser:
    """Returns the parser of this program's command line."""
    parser = Parser('dataset.sh', __doc__ or '', EXAMPLES)
    parser.add_argument('command', choices=[NEW, BUILD, CHECK, EXPLORE, LIST])
    parser.add_argument(
        'name', nargs='?', metavar='NAME', help='a folder of data/, images:FOLDER, text:FILE, tfds:NAME'
    )
    parser.add_argument('--config', help='full (default) or toy')
    parser.add_argument(
        '--sample',
        type=int,
        metavar='EXAMPLES',
        help='for check: checks only this many examples, drawn evenly over splits and classes',
    )
    parser.add_argument('--kind', choices=KINDS, help='for new: what the examples are')
    parser.add_argument(
        '--register_checksums', action='store_true', help='for build: states the present originals as right'
    )
    parser.add_argument(
        '--allow_damaged',
        type=float,
        metavar='SHARE',
        help='for build: leaves out damaged images by name, up to this share of all examples, such as 0.01',
    )
    parser.add_json_argument('the answer')
    return parser


def main(arguments: argparse.Namespace) -> int:
    """Runs one command. Returns the exit code."""
    devices.import_jax()
    from engine.runs import text_log

    text_log.silence_libraries()
    text_log.to_terminal()
    _check_arguments(arguments)
    if arguments.command == LIST:
        return list_datasets(arguments.json)
    if arguments.command == NEW:
        return new(arguments.name, arguments.kind, arguments.json)
    name = '/'.join(filter(None, [arguments.name, arguments.config]))
    if arguments.command == CHECK:
        return check(name, arguments.sample or 0, arguments.json)
    if arguments.command == EXPLORE:
        return explore(name, arguments.json)
    if arguments.register_checksums:
        register(arguments.name)
    return build(name, arguments.allow_damaged or 0.0, arguments.json)


def _check_arguments(arguments: argparse.Namespace) -> None:
    """Raises `UserError` unless the arguments fit the command."""
    command = arguments.command
    if command != LIST and arguments.name is None:
        raise UserError(f'{command} needs the NAME of a dataset. scripts/dataset.sh list shows all of them.')
    if command == NEW and not arguments.kind:
        raise UserError(
            f'new needs --kind, one of {", ".join(KINDS)}: what are the examples of {arguments.name}?'
        )
    parser().check_flags(arguments, FLAGS)
    if arguments.sample is not None and arguments.sample < 1:
        raise UserError(f'--sample={arguments.sample}: give a number of examples, such as 10000.')


def list_datasets(as_json: bool) -> int:
    """Prints name, counts and title of each dataset."""
    from engine.datasets.catalogue import overview
    from engine.render import table as tables

    if as_json:
        command_line.print_json({'datasets': [*overview.records()]})
        return errors.EXIT_FINISHED
    titles = ['dataset', 'built', 'examples', 'title']
    print(tables.terminal(tables.Table.of(titles, overview.rows())), end='')
    return errors.EXIT_FINISHED


def new(name: str, kind: str, as_json: bool) -> int:
    """Creates a new dataset, and prints the next steps."""
    from engine.datasets import new

    paths, missing = new.create(name, kind), new.missing_modules(name)
    if missing:
        print(
            f'configs/{name}.gin uses {" and ".join(missing)}, which this project does not have. Fetch it:\n'
            f'  git fetch template && git checkout FETCH_HEAD -- {" ".join(missing)}\n'
            'or use a model of your own in the config.'
        )
    print(f'The dataset works as it is. Then edit the lines marked EDIT:\n  grep -rn EDIT {" ".join(paths)}')
    for command in (BUILD, CHECK, EXPLORE):
        print(f'  scripts/dataset.sh {command} {name}')
    print(f'  scripts/train.sh --gin_file=configs/{name}.gin\ndataset: data/{name}')
    if as_json:
        command_line.print_json({'dataset': name, 'paths': paths, 'missing_modules': missing})
    return errors.EXIT_FINISHED


def build(name: str, allow_damaged: float, as_json: bool) -> int:
    """Builds a dataset if it is not built yet, and prints its report and its fingerprint."""
    from engine.datasets.building import build, report
    from engine.datasets.catalogue import builders
    from engine.datasets.catalogue.names import DatasetName
    from engine.datasets.load import load

    is_built = build.arrays_folder(builders.builder(name)).exists()
    dataset, folder = load(name, allow_damaged), DatasetName.parse(name).workspace_folder
    said = report.read(dataset.folder)
    if is_built:  # else the build has printed it
        print(said)
    counts = ', '.join(f'{split} {count}' for split, count in dataset.splits.items())
    print(f'{dataset.name} {dataset.version}: {counts}')
    print(f'fingerprint: {dataset.fingerprint}')
    print(f'dataset: {folder}')
    if as_json:
        command_line.print_json(
            {
                'dataset': dataset.name,
                'version': dataset.version,
                'splits': dataset.splits,
                'fingerprint': dataset.fingerprint,
                'folder': folder,
                'report': said.splitlines(),
            }
        )
    return errors.EXIT_FINISHED


def register(name: str) -> None:
    """Rewrites `checksums.tsv` to state the present originals of every config."""
    from engine.datasets.catalogue import builders

    cls = type(builders.builder(name))
    if not hasattr(cls, 'register_checksums'):
        raise UserError(
            f'{name} has no checksums to register: its builder does not derive from FolderBuilder '
            '(engine/datasets/building/folder_builder.py).'
        )
    cls.register_checksums([builders.builder(f'{name}/{config}') for config in cls.builder_configs])


def check(name: str, sample: int, as_json: bool) -> int:
    """Prints the findings of all checks, and the fingerprint. Returns exit code 1 if there is a fault."""
    from engine.datasets.checks import check
    from engine.render import table as tables

    dataset = check.DatasetUnderTest(name, sample)
    findings = list(check.run(dataset))
    rows = [(finding.check, finding.verdict, finding.message) for finding in findings]
    print(tables.terminal(tables.Table.of(['check', 'verdict', 'message'], rows)))
    has_failed = any(finding.verdict == check.WRONG for finding in findings)
    where = ', on a sample' if any(finding.check == check.SAMPLE for finding in findings) else ''
    print(f'{dataset.name}: {"some checks failed" if has_failed else "all checks passed"}{where}')
    if not has_failed:
        print(f'fingerprint: {dataset.dataset.fingerprint}')
    if as_json:
        command_line.print_json(
            {
                'dataset': dataset.name,
                'passed': not has_failed,
                'fingerprint': None if has_failed else dataset.dataset.fingerprint,
                'findings': [asdict(finding) for finding in findings],
            }
        )
    return errors.EXIT_FAILED if has_failed else errors.EXIT_FINISHED


def explore(name: str, as_json: bool) -> int:
    """Writes the page of a dataset, and prints its path."""
    from engine.datasets.pages import explore

    page = explore.write(name)
    print(f'page: {page}')
    if as_json:
        command_line.print_json({'dataset': name, 'page': page})
    return errors.EXIT_FINISHED


if __name__ == '__main__':
    command_line.run(main, parser())
