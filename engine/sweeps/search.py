"""Which runs a sweep has: the grid, random points, or what TPE proposes from the results of earlier runs.

Grid and random points are known when the sweep begins. TPE proposes a run from the results of all earlier
runs except the last `parallel - 1`, which may still be training. So the same sweep has the same runs, however
many workers train them and whichever of them are killed.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from engine.sweeps import axes, optuna_study
from engine.sweeps.axes import Axis
from engine.sweeps.objective import Objective
from engine.sweeps.sweep_folder import OPEN, Sweep

GRID, RANDOM, TPE = 'grid', 'random', 'tpe'
DEFAULT_PARALLEL = 4  # runs that may train at once in a search by TPE
MAX_DRAWS = 1000  # random points tried when TPE proposes one that exists


def first_points(search: str, varied: Sequence[Axis], trials: int, seed: int) -> list[list[str]]:
    """Returns the varied bindings of the runs that are known when a sweep begins.

    Args:
      search: one of the three.
      varied: what varies.
      trials: number of runs of a search that is not a grid.
      seed: of the search.

    Raises:
      UserError: the varied parameters make no grid.
    """
    if search == GRID:
        return axes.grid(varied)
    return axes.draws(varied, trials if search == RANDOM else 1, seed)  # TPE, too, begins with random points


def propose(sweep: Sweep) -> bool:
    """Lets TPE propose the next run, if the results that it needs are known; returns whether there is one."""
    description, objective = sweep.description(), sweep.objective
    proposals = sweep.proposals()
    number, parallel = len(proposals), description['parallel']
    if description['search'] != TPE or number >= description['trials'] or not objective:
        return False
    known = max(0, number + 1 - parallel)
    if any(sweep.state(run.name)[0] == OPEN for run in proposals[:known]):
        return False
    trials = optuna_study.trials(sweep, objective)
    unknown = [replace(trial, state=OPEN, value=None, evaluations={}) for trial in trials[known:]]
    point = _new_point(sweep.axes, objective, [*trials[:known], *unknown], f'{description["seed"]} {number}')
    if point:
        sweep.propose(number, point, TPE)
    return bool(point)


def _new_point(
    varied: Sequence[Axis], objective: Objective, trials: Sequence[optuna_study.Trial], seed: str
) -> list[str]:
    """Returns the point that TPE proposes, or a random one if that exists; [] if no new one is found."""
    taken = [[f'{axis.name} = {trial.values[axis.name]}' for axis in varied] for trial in trials]
    point = optuna_study.suggestion(varied, objective, trials, random.Random(seed).getrandbits(32))
    draws = (axes.draw(varied, f'{seed} {attempt}') for attempt in range(MAX_DRAWS))
    return next((each for each in (point, *draws) if each not in taken), [])
