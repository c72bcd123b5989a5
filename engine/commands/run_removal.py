"""`scripts/runs.sh rm`, `restore` and `gc`: the trash, and what the policy frees."""

import argparse
from collections.abc import Sequence

from engine import errors
from engine.commands import command_line, named_runs
from engine.errors import UserError
from engine.render import table as tables
from engine.render.escape import printable
from engine.run_reader.catalogue import cleaning, folders, trash
from engine.run_reader.catalogue import entry as entries


def remove(arguments: argparse.Namespace) -> int:
    """Moves runs to the trash: none if one of them may not be removed."""
    named = map(folders.one, named_runs.some(arguments))
    known = [entries.read(folder) for folder in {folder.resolve(): folder for folder in named}.values()]
    for entry in known:
        trash.check_removable(entry)
    places = {entry.name: trash.remove(entry) for entry in known}
    for name, place in places.items():
        print(printable(f'removed {name}, to {place}'))
    print('To undo it: scripts/runs.sh restore NAME.')
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


def collect(arguments: argparse.Namespace) -> int:
    """Prints the policy and what it frees, and frees it with `--apply`."""
    days = cleaning.TRASH_DAYS if arguments.days is None else arguments.days
    for flag, value in (('days', days), ('resumable_days', arguments.resumable_days)):
        if value is not None and not value >= 0:
            raise UserError(f'--{flag}={value:g}: give a number of days, such as 30.')
    known = [*map(entries.read, named_runs.below(arguments.runs, []))]
    chosen = cleaning.candidates(known, days, arguments.resumable_days)
    sizes = [candidate.size for candidate in chosen]
    print(f'policy:\n{cleaning.policy(days, arguments.resumable_days)}')
    rows = [
        [item.path, item.reason, f'{size / 1e6:,.1f} MB'] for item, size in zip(chosen, sizes, strict=True)
    ]
    if rows:
        print('', tables.terminal(tables.Table.of(['path', 'reason', 'size'], rows)), sep='\n', end='')
    freed = [arguments.apply and _is_freed(candidate) for candidate in chosen]
    print(f'\n{_result(sizes, freed, arguments.apply)}')
    if arguments.json:
        documents = [
            {'path': item.path, 'reason': item.reason, 'bytes': size, 'freed': is_freed}
            for item, size, is_freed in zip(chosen, sizes, freed, strict=True)
        ]
        command_line.print_json({'candidates': documents})
    return errors.EXIT_FINISHED


def _result(sizes: Sequence[int], freed: Sequence[bool], is_applied: bool) -> str:
    if not sizes:
        return 'There is nothing to free.'
    if not is_applied:
        return f'Nothing was freed. --apply frees {sum(sizes) / 1e6:,.1f} MB.'
    return f'freed {sum(size for size, done in zip(sizes, freed, strict=True) if done) / 1e6:,.1f} MB'


def _is_freed(candidate: cleaning.Candidate) -> bool:
    """Frees a candidate; returns False and says why if that is impossible."""
    try:
        cleaning.free(candidate)
    except (UserError, OSError) as error:
        print(printable(f'kept {candidate.path}: {error}'))
        return False
    return True
