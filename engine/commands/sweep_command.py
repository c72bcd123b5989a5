"""The sweep that a command line of `scripts/sweep.sh` describes: its flags, and those of a sweep file."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import files
from engine.commands.command_line import Parser
from engine.config import reading, source_text, statements
from engine.errors import UserError
from engine.sweeps import axes, search, sweep_file
from engine.sweeps.search import GRID, RANDOM, TPE
from engine.sweeps.sweep_folder import Sweep
from engine.workspace import workspace

# The flags that describe a sweep, and what they are if they are not given.
DEFAULTS: dict[str, Any] = {
    **{'gin_file': [], 'gin_bindings': [], 'vary': [], 'search': GRID, 'trials': None, 'seed': 0},
    **{'parallel': None, 'halving': None, 'rungs': '', 'metric': '', 'replay': None},
}


@dataclass(frozen=True)
class NewSweep:
    """A sweep as a command describes it.

    Attributes:
      asked: what the command says. Another command with the same name must say the same.
      points: the varied bindings of the runs that are known already.
      origin: what proposed them.
    """

    asked: dict[str, Any]
    points: list[list[str]]
    origin: str


def complete(arguments: argparse.Namespace, parser: Parser) -> None:
    """Fills in the flags of the sweep file that the command line does not give, and the name.

    Raises:
      UserError: the sweep file has a mistake, or there is no name, or a wrong one.
    """
    values = sweep_file.read(Path(arguments.sweep_file)) if arguments.sweep_file else {}
    for name in ('vary', 'gin_bindings'):
        given = getattr(arguments, name)
        setattr(arguments, name, [*_others(values.pop(name, []), given), *given])
    for name, value in values.items():
        if getattr(arguments, name) == parser.get_default(name):
            setattr(arguments, name, value)
    arguments.name = arguments.name or (Path(arguments.sweep_file).stem if arguments.sweep_file else None)
    if not arguments.name:
        raise UserError('a sweep needs a name: pass --name=NAME. Its folder is workspace/sweeps/NAME.')
    if not re.fullmatch(r'[\w.-]*\w[\w.-]*', arguments.name) or arguments.name.startswith('.'):
        raise UserError(f'--name={arguments.name} is not a name of letters, digits, _, - and dots.')
    if arguments.workers is not None and arguments.workers < 1:
        raise UserError(f'--workers={arguments.workers}: it must be at least 1.')


def given(arguments: argparse.Namespace) -> set[str]:
    """Returns the flags given that describe a sweep."""
    return {name for name, default in DEFAULTS.items() if getattr(arguments, name) != default}


def _others(texts: Sequence[str], given: Sequence[str]) -> list[str]:
    """Returns the texts NAME=VALUE whose names are not among those given."""
    names = {text.partition('=')[0].strip() for text in given}
    return [text for text in texts if text.partition('=')[0].strip() not in names]


def described(arguments: argparse.Namespace) -> NewSweep:
    """Returns what the flags describe."""
    if not arguments.gin_file or not arguments.vary:
        raise UserError('a sweep needs --gin_file, and --vary NAME=VALUES for each parameter that varies.')
    _check_search(arguments)
    varied = axes.parse_all(arguments.vary)
    paths = [reading.find_file(Path(name), f'--gin_file={name}') for name in arguments.gin_file]
    included = map(str, _included(paths))
    asked = {
        'gin_files': {name: files.sha256(Path(name)) for name in arguments.gin_file},
        'included': {name: files.sha256(Path(name)) for name in included},
        'gin_bindings': arguments.gin_bindings,
        'vary': arguments.vary,
        'search': arguments.search,
        'trials': arguments.trials,
        'seed': arguments.seed,
        'parallel': arguments.parallel,
        'metric': arguments.metric,
        'halving': arguments.halving,
        'rungs': _given_rungs(arguments),
    }
    points = search.first_points(arguments.search, varied, arguments.trials or 0, arguments.seed)
    return NewSweep(asked, points, arguments.search)


def _check_search(arguments: argparse.Namespace) -> None:
    """Raises `UserError` unless the flags of the search agree."""
    if (arguments.search == GRID) != (arguments.trials is None):
        raise UserError(
            f'--search={RANDOM} and --search={TPE} need --trials=N, such as --trials=40; a grid takes none.'
        )
    for name in ('trials', 'parallel'):
        if (value := getattr(arguments, name)) is not None and value < 1:
            raise UserError(f'--{name}={value}: it must be at least 1.')
    if arguments.parallel and arguments.search != TPE:
        raise UserError(f'--parallel belongs to --search={TPE}: other runs depend on no results.')
    if arguments.halving and arguments.search == TPE:
        raise UserError(
            f'--halving needs all runs at the start, and --search={TPE} proposes them one by one. Pass '
            f'--search={RANDOM}, or leave out --halving.'
        )


def _given_rungs(arguments: argparse.Namespace) -> list[int]:
    if arguments.halving is not None and arguments.halving < 2:
        raise UserError(f'--halving={arguments.halving}: it must be at least 2.')
    if arguments.rungs and not arguments.halving:
        raise UserError('--rungs belongs to --halving=N, which says that one run in N survives a rung.')
    steps = [part.strip() for part in arguments.rungs.split(',')] if arguments.rungs else []
    numbers = [int(step) for step in steps if step.isdecimal()]
    if len(numbers) < len(steps) or numbers != sorted(set(numbers)) or 0 in numbers:
        raise UserError(f'--rungs={arguments.rungs}: write rising steps, such as --rungs=100,300.')
    return numbers


def replayed(arguments: argparse.Namespace) -> NewSweep:
    """Returns a sweep with the recorded runs of another one."""
    if given(arguments) != {'replay'}:
        raise UserError('--replay takes config and runs from the other sweep: pass it with --name alone.')
    path = Path(arguments.replay)
    other = Sweep(path if path.is_dir() else workspace() / 'sweeps' / arguments.replay)
    if not other.exists:
        raise UserError(f'--replay={arguments.replay} is no sweep: {other.folder} holds no sweep.json.')
    begun, proposals = other.description(), other.proposals()
    for name, sha256 in {**begun['gin_files'], **begun['included']}.items():
        if not Path(name).is_file() or files.sha256(Path(name)) != sha256:
            raise UserError(f'--replay: {name} is not what it was in {other.folder}. Restore it.')
    chosen = {name: begun[name] for name in ('rungs', 'parallel')}
    asked = begun['asked'] | chosen | {'trials': len(proposals), 'replay': str(other.folder)}
    varied = [list(run.bindings[len(begun['gin_bindings']) :]) for run in proposals]
    return NewSweep(asked, varied, str(other.folder))


def _included(paths: Sequence[Path]) -> list[Path]:
    """Returns the files that configs include, directly or through others, each once."""
    found: dict[Path, None] = {}
    waiting = [*paths]
    while waiting:
        path = waiting.pop(0)
        names = statements.outline(source_text.read(path, str(path)), str(path)).includes
        targets = [reading.find_file(path.parent / name, f'{path}: include {name!r}') for name in names]
        waiting += [target for target in targets if target not in found]
        found |= dict.fromkeys(targets)
    return [*found]
