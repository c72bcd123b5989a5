"""Lists, shows, compares and removes runs: `scripts/runs.sh`. Needs no JAX, and changes no run."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from engine import errors
from engine.commands import command_line
from engine.errors import UserError
from engine.render import table as tables
from engine.render.escape import printable
from engine.run_reader.catalogue import details, folders, listing, query, trash
from engine.run_reader.catalogue import entry as entries
from engine.run_reader.catalogue.entry import RunEntry
from engine.run_reader.catalogue.fields import Fields
from engine.workspace import workspace

LIST, SHOW, REMOVE, RESTORE = 'list', 'show', 'rm', 'restore'
EXAMPLES = """\
  scripts/runs.sh                                          all runs of the workspace, the newest first
  scripts/runs.sh list workspace/sweeps/rates --sort=best  those below a folder, the best first
  scripts/runs.sh --where='state=dead' --where='age > 2d'  filtered; names: columns, metrics, parameters
  scripts/runs.sh --columns=state,best,LEARNING_RATE,width --format=csv
  scripts/runs.sh show digits/2026-11-27T07-08-30          all that is known of a run
  scripts/runs.sh rm <run> <run>                           to workspace/trash/
  scripts/runs.sh restore <run>                            back from there
"""
# The commands that take each flag.
FLAGS = {'where': {LIST}, 'sort': {LIST}, 'columns': {LIST}, 'limit': {LIST}, 'format': {LIST}}


def parser() -> command_line.Parser:
    """Returns the parser of the command line."""
    arguments = command_line.Parser('runs.sh', 'The runs of the workspace.', EXAMPLES)
    arguments.add_argument(
        'command', nargs='?', default=LIST, metavar='COMMAND', help=f'{", ".join(COMMANDS)}; list by default'
    )
    arguments.add_argument(
        'runs', nargs='*', metavar='RUN', help='runs, by path or name; for list, folders that hold some'
    )
    arguments.add_argument(
        '--where',
        action='append',
        default=[],
        metavar='CONDITION',
        help="such as 'accuracy > 0.9'; all of several must hold; = != < <= > >= ~ (contains)",
    )
    arguments.add_argument(
        '--sort',
        metavar='NAME',
        help='a column, metric or parameter; -NAME the other way round; -started by default',
    )
    arguments.add_argument('--columns', metavar='NAMES', help='columns after the name, in this order')
    arguments.add_argument('--limit', type=int, metavar='N', help='only the first N runs')
    arguments.add_argument('--format', choices=tuple(tables.FORMATS), help='aligned text by default')
    arguments.add_json_argument('the answer')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Runs one command. Returns the exit code."""
    if arguments.command not in COMMANDS:
        arguments.runs.insert(0, arguments.command)  # a folder: list is the default
        arguments.command = LIST
    for flag, commands in FLAGS.items():
        if getattr(arguments, flag) and arguments.command not in commands:
            raise UserError(f'--{flag} belongs to {", ".join(sorted(commands))}, not to {arguments.command}.')
    return COMMANDS[arguments.command](arguments)


def list_runs(arguments: argparse.Namespace) -> int:
    """Prints the table of runs."""
    problems: list[str] = []
    known = [*map(entries.read, _folders(arguments.runs, problems))]
    fields = Fields(known)
    shown = query.ordered(
        query.matching(known, arguments.where, fields), arguments.sort or '-started', fields
    )
    if arguments.limit is not None:
        shown = shown[: max(0, arguments.limit)]
    columns = _columns(arguments.columns, fields)
    if arguments.json:
        command_line.print_json({'runs': [*map(fields.as_json, shown)], 'problems': problems})
    elif arguments.format:
        print(printable(tables.FORMATS[arguments.format](listing.table(shown, columns, fields))), end='')
    else:
        _print_table(shown, known, columns, fields, problems)
    return errors.EXIT_FINISHED


def _folders(paths: Sequence[str], problems: list[str]) -> list[Path]:
    """Returns the runs below some folders, by default those of the workspace."""
    if not paths:
        return folders.in_workspace(problems)
    return folders.find([_place(path) for path in paths], problems)


def _place(path: str) -> Path:
    """Returns a folder as the user or the table calls it."""
    places = [Path(path), workspace() / 'runs' / path, workspace() / path]
    return next((place for place in places if place.is_dir()), None) or folders.one(path)


def _columns(text: str | None, fields: Fields) -> list[str]:
    names = [name.strip() for name in (text or '').split(',') if name.strip()]
    return [
        name if name == listing.DIFFERS else fields.full(name, '--columns') for name in names if name != 'run'
    ]


def _print_table(
    shown: Sequence[RunEntry],
    known: Sequence[RunEntry],
    columns: Sequence[str],
    fields: Fields,
    problems: Sequence[str],
) -> None:
    if shown:
        print(tables.terminal(listing.table(shown, columns, fields)))
    if not known:
        print(
            printable(f'no runs in {workspace()}. Begin one: scripts/train.sh --gin_file=configs/<name>.gin')
        )
    elif len(shown) < len(known):
        print(f'{len(shown):,} of {len(known):,} runs')
    else:
        print(listing.summary(shown))
    for note in listing.notes(shown, problems):
        print(printable(note))


def show(arguments: argparse.Namespace) -> int:
    """Prints all that is known of some runs."""
    known = [entries.read(folders.one(name)) for name in _some(arguments)]
    if arguments.json:
        command_line.print_json({'runs': [*map(details.document, known)]})
        return errors.EXIT_FINISHED
    for entry in known:
        print(*details.lines(entry), printable(f'run: {entry.folder}'), sep='\n')
    return errors.EXIT_FINISHED


def remove(arguments: argparse.Namespace) -> int:
    """Moves runs to the trash: none if one of them may not be removed."""
    known = [entries.read(folder) for folder in dict.fromkeys(map(folders.one, _some(arguments)))]
    for entry in known:
        trash.check_removable(entry)
    places = {entry.name: trash.remove(entry) for entry in known}
    for name, place in places.items():
        print(printable(f'removed {name}, to {place}'))
    print(f'To undo it: scripts/runs.sh {RESTORE} NAME.')
    if arguments.json:
        command_line.print_json({'removed': places})
    return errors.EXIT_FINISHED


def restore(arguments: argparse.Namespace) -> int:
    """Moves runs back from the trash; without a name, lists what is there."""
    if not arguments.runs:
        return _list_trash(arguments.json)
    restored = [*map(trash.restore, arguments.runs)]
    for folder in restored:
        print(printable(f'run: {folder}'))
    if arguments.json:
        command_line.print_json({'restored': restored})
    return errors.EXIT_FINISHED


def _list_trash(as_json: bool) -> int:
    removed = trash.contents()
    if as_json:
        rows = [
            {'name': run.name, 'removed': run.removed.isoformat(), 'folder': run.folder} for run in removed
        ]
        command_line.print_json({'trash': rows})
        return errors.EXIT_FINISHED
    rows = [[run.name, run.removed.isoformat(timespec='seconds'), run.folder] for run in removed]
    print(
        tables.terminal(tables.Table.of(['run', 'removed', 'folder'], rows))
        if rows
        else 'The trash is empty.'
    )
    return errors.EXIT_FINISHED


def _some(arguments: argparse.Namespace) -> Sequence[str]:
    """Returns the runs that the user named; raises `UserError` if there are none."""
    if not arguments.runs:
        raise UserError(f'{arguments.command} needs a RUN. scripts/runs.sh lists the names.')
    return arguments.runs


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    LIST: list_runs,
    SHOW: show,
    REMOVE: remove,
    RESTORE: restore,
}

if __name__ == '__main__':
    command_line.run(main, parser())
