"""Begins a sweep: builds runs with each value without training them, chooses rungs, writes the folder."""

import argparse
import json
import subprocess
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from engine.commands import sweep_command
from engine.commands.sweep_command import NewSweep
from engine.errors import UserError
from engine.runs.environment import history
from engine.sweeps import axes, objective, optuna_study, rungs, unchanged, worker
from engine.sweeps.axes import Axis
from engine.sweeps.search import DEFAULT_PARALLEL, TPE
from engine.sweeps.sweep_folder import Sweep

MAX_TRIED = 32  # values of a list that are built before the sweep begins


def begin(sweep: Sweep, arguments: argparse.Namespace) -> None:
    """Begins a sweep; for one that exists, checks that the command describes it or nothing but its name.

    Raises:
      UserError: the command has a mistake, or describes another sweep.
    """
    given = sweep_command.given(arguments)
    if not sweep.exists and not given:
        raise UserError(f'the sweep {sweep.folder.name} has not begun: pass --gin_file and --vary.')
    if sweep.exists and given and not given & {'gin_file', 'replay'}:
        raise UserError(
            f'--name={sweep.folder.name} alone joins the sweep. --{min(given)} describes one: leave it out, '
            'or repeat the whole command.'
        )
    if given:
        new = sweep_command.replayed(arguments) if arguments.replay else sweep_command.described(arguments)
        if not sweep.exists:
            _begin(sweep, new, arguments.trust, arguments.workers or 1)
        _check_same(sweep, new.asked)
    elif sweep.description()['search'] == TPE:
        optuna_study.optuna()  # before anything is trained


def _begin(sweep: Sweep, new: NewSweep, trust: bool, workers: int) -> None:
    """Tries the values, chooses the rungs and writes the folder."""
    if new.asked['search'] == TPE:
        optuna_study.optuna()  # before anything is written
    known = _probed(new, trust)
    best = known['best'] and objective.Objective(*known['best'])
    halving = new.asked['halving']
    if not best and (halving or new.asked['search'] == TPE):
        flag = f'--halving={halving}' if halving else f'--search={TPE}'
        raise UserError(f'{flag} needs a metric to choose by: bind Trainer.best, or pass --metric.')
    environment = unchanged.environment(known['modules'])
    description = {
        **new.asked,
        'rungs': _rungs(new, known) if halving else [],
        'parallel': new.asked['parallel'] or max(DEFAULT_PARALLEL, workers),
        'objective': best and astuple(best),
        'commit': history.version(environment),
        'asked': new.asked,
    }
    sweep.begin(description, new.points, new.origin, environment)


def _rungs(new: NewSweep, known: dict[str, Any]) -> list[int]:
    """Returns the rungs that the command gives, or those that fit the config."""
    given, halving = new.asked['rungs'], new.asked['halving']
    varied = [axis.name for axis in axes.parse_all(new.asked['vary']) if axis.name in known['timing']]
    if varied and not given:
        raise UserError(
            f'--halving={halving} chooses rungs that fit the steps of the config, and {varied[0]} varies '
            'them. Choose rungs that fit all runs: --rungs=100,300.'
        )
    if not given:
        return rungs.chosen(known['evaluations'], known['steps'], len(new.points), halving)
    if not varied:
        rungs.check(given, known['evaluations'], known['steps'])
    return given


def _check_same(sweep: Sweep, asked: dict[str, Any]) -> None:
    """Raises `UserError` if a command describes another sweep than the one of that name."""
    begun = sweep.description()['asked']
    lines = [
        f'  {name}: {_shown(begun.get(name))} -> {_shown(asked.get(name))}'
        for name in {**begun, **asked}
        if begun.get(name) != asked.get(name)
    ]
    if lines:
        shown = '\n'.join(lines)
        raise UserError(
            f'{sweep.folder} is another sweep:\n{shown}\nChoose another --name, or pass --name alone to '
            'continue that one.'
        )


def _shown(value: Any) -> str:
    return json.dumps(value) if value or value == 0 else 'none'


def _probed(new: NewSweep, trust: bool) -> dict[str, Any]:
    """Builds runs that have each value, without training them; returns what is known of the first.

    Raises:
      UserError: one cannot be built. The message says which.
    """
    points = tried(new.points[0], axes.parse_all(new.asked['vary']))
    metric, flags = new.asked['metric'], [f'--points={json.dumps(points)}']
    flags += [f'--metric={objective.parse(metric).metric}'] if metric else []
    command = worker.command('sweep_probe', new.asked['gin_files'], new.asked['gin_bindings'], trust, *flags)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        before, _, message = ended.stderr.strip().rpartition('error: ')
        which = before.rpartition(worker.BUILDING)[2].partition('\n')[0] or 'the first values'
        raise UserError(f'a run with {which} cannot be built, so none was begun. {message}')
    known = json.loads(ended.stdout)
    if metric:
        known['best'] = [known['metric'], objective.parse(metric).mode]
    return known


def tried(first: Sequence[str], varied: Sequence[Axis]) -> list[list[str]]:
    """Returns a few points that hold each value of each list, and the ends of each range."""
    points = [[*first]]
    for index, axis in enumerate(varied):
        ends = [axis.written(bound) for bound in axis.bounds or ()] or [axis.values[0], axis.values[-1]]
        values = ends if axis.bounds or axis.is_whole else axis.values[:MAX_TRIED]
        points += [[*first[:index], f'{axis.name} = {value}', *first[index + 1 :]] for value in values]
    return [list(point) for point in dict.fromkeys(map(tuple, points))]
