"""Lists, shows, compares and removes runs: `scripts/runs.sh`. Needs no JAX."""

import argparse
from collections.abc import Callable, Sequence

from engine import errors
from engine.commands import command_line, named_runs, run_difference, run_removal
from engine.errors import UserError
from engine.render import table as tables
from engine.render.escape import printable
from engine.run_reader.catalogue import details, folders, listing, query
from engine.run_reader.catalogue import entry as entries
from engine.run_reader.catalogue.entry import RunEntry
from engine.run_reader.catalogue.fields import Fields
from engine.workspace import workspace

LIST, SHOW, DIFF, REMOVE, RESTORE, GC = 'list', 'show', 'diff', 'rm', 'restore', 'gc'
EXAMPLES = """\
  scripts/runs.sh                                          all runs of the workspace, the newest first
  scripts/runs.sh list workspace/sweeps/rates --sort=best  those below a folder, the best first
  scripts/runs.sh --where='state=dead' --where='age > 2d'  filtered; names: columns, metrics, parameters
  scripts/runs.sh --columns=state,best,LEARNING_RATE,width --format=csv
  scripts/runs.sh show digits/2026-11-27T07-08-30          all that is known of a run
  scripts/runs.sh diff <run> <run>                         config, code, data, first step, test metric
  scripts/runs.sh diff <run> <run> --metric=macro_f1       by another metric, with a paired interval
  scripts/runs.sh rm <run> <run>                           to workspace/trash/
  scripts/runs.sh restore <run>                            back from there
  scripts/runs.sh gc                                       what the policy would free; --apply frees it
"""
# The commands that take each flag.
FLAGS = {
    **dict.fromkeys(('where', 'sort', 'columns', 'limit', 'format'), (LIST,)),
    **dict.fromkeys(('split', 'metric'), (DIFF,)),
    **dict.fromkeys(('apply', 'days', 'resumable_days'), (GC,)),
}


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
    arguments.add_argument(
        '--split', metavar='NAME', help='for diff: the outputs to compare; test by default'
    )
    arguments.add_argument(
        '--metric',
        metavar='NAME',
        help='for diff: the metric of the outputs; the first of their kind by default',
    )
    arguments.add_argument('--apply', action='store_true', help='for gc: frees what it lists')
    arguments.add_argument(
        '--days', type=float, metavar='N', help='for gc: keeps the trash for N days; 30 by default'
    )
    arguments.add_argument(
        '--resumable_days',
        type=float,
        metavar='N',
        help='for gc: deletes checkpoints to resume from of runs that finished more than N days ago',
    )
    arguments.add_json_argument('the answer')
    return arguments


def main(arguments: argparse.Namespace) -> int:
    """Runs one command. Returns the exit code."""
    if arguments.command not in COMMANDS:  # a folder: list is the default
        arguments.runs.insert(0, arguments.command)
        if not named_runs.is_folder(arguments.command):
            known = ', '.join(COMMANDS)
            raise UserError(
                f'{arguments.command} is neither a folder nor a command. The commands are {known}.'
            )
        arguments.command = LIST
    parser().check_flags(arguments, FLAGS)
    return COMMANDS[arguments.command](arguments)


def list_runs(arguments: argparse.Namespace) -> int:
    """Prints the table of runs."""
    if arguments.limit is not None and arguments.limit < 1:
        raise UserError(f'--limit={arguments.limit}: give a number of runs, such as 10.')
    problems: list[str] = []
    known = [*map(entries.read, named_runs.below(arguments.runs, problems))]
    fields = Fields(known)
    shown = query.ordered(
        query.matching(known, arguments.where, fields), arguments.sort or '-started', fields
    )
    if arguments.limit is not None:
        shown = shown[: arguments.limit]
    columns = _columns(arguments.columns, fields)
    if arguments.json:
        command_line.print_json({'runs': [*map(fields.as_json, shown)], 'problems': problems})
    elif arguments.format:
        print(printable(tables.FORMATS[arguments.format](listing.table(shown, columns, fields))), end='')
    else:
        _print_table(shown, known, columns, fields, problems)
    return errors.EXIT_FINISHED


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
    known = [entries.read(folders.one(name)) for name in named_runs.some(arguments)]
    if arguments.json:
        command_line.print_json({'runs': [*map(details.document, known)]})
        return errors.EXIT_FINISHED
    for entry in known:
        print(*details.lines(entry), printable(f'run: {entry.folder}'), sep='\n')
    return errors.EXIT_FINISHED


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    LIST: list_runs,
    SHOW: show,
    DIFF: run_difference.diff,
    REMOVE: run_removal.remove,
    RESTORE: run_removal.restore,
    GC: run_removal.collect,
}

if __name__ == '__main__':
    command_line.run(main, parser())
