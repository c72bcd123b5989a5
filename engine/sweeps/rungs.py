"""Synchronous successive halving: after each rung, the best runs survive and train on.

All runs of a rung end before the next one begins, so the survivors do not depend on the order of the workers.

Source: Jamieson, Talwalkar: "Non-stochastic best arm identification and hyperparameter optimization", 2016.
"""

import math
from collections.abc import Sequence

from engine.errors import UserError
from engine.sweeps.objective import Objective
from engine.sweeps.sweep_folder import FAILED, Proposal, Sweep, task


def survivors(
    sweep: Sweep, runs: Sequence[Proposal], step: int, keep: int, objective: Objective
) -> list[Proposal]:
    """Returns the runs that train on after a rung, in the order of their proposals.

    Args:
      sweep: the sweep.
      runs: the runs of the rung. Failed ones, and those without a finite metric, never survive.
      step: the step of the rung. The last evaluation up to it counts.
      keep: one run in so many survives, and at least one.
      objective: what decides. Of equal runs, those proposed first survive.

    Raises:
      UserError: no run was evaluated up to the rung.
    """
    losses = {run.name: _loss(sweep, run, step, objective) for run in runs}
    sound = [run for run in runs if math.isfinite(losses[run.name])]
    if not sound:
        raise UserError(
            f'no run of {sweep.folder} has a finite {objective.metric} at step {step}, so none can go on. '
            'Look at the logs of its runs, or pass another --metric.'
        )
    best = sorted(sound, key=lambda run: losses[run.name])[: max(1, math.ceil(len(runs) / keep))]
    return [run for run in runs if run in best]


def _loss(sweep: Sweep, run: Proposal, step: int, objective: Objective) -> float:
    if sweep.ended(task(run.name, step)).get('state') == FAILED:
        return math.inf
    value = objective.at(sweep.run(run.name), step)
    return math.inf if value is None else objective.loss(value)


def chosen(evaluations: Sequence[int], steps: int, runs: int, keep: int) -> list[int]:
    """Chooses rungs after which about one run is left, each with about the same number of steps in all.

    >>> chosen(range(20, 1000, 20), steps=1000, runs=27, keep=3)
    [40, 120, 340]

    Args:
      evaluations: the steps before the last one after which runs are evaluated.
      steps: of the whole training.
      runs: of the sweep.
      keep: one run in so many survives a rung.

    Raises:
      UserError: there are too few runs, or no evaluation before the last step.
    """
    if runs < keep:
        raise UserError(f'--halving={keep} needs at least {keep} runs, and the sweep has {runs}. Vary more.')
    levels = next(count for count in range(1, runs) if keep ** (count + 1) > runs)
    targets = [steps / keep**level for level in range(levels, 0, -1)]
    reached = (next((step for step in evaluations if step >= target), None) for target in targets)
    rungs = sorted({step for step in reached if step is not None})
    if not rungs:
        raise UserError(
            f'--halving={keep} finds no evaluation before the last step, {steps}, to choose by. Bind '
            'Trainer.evaluate_every, or train longer.'
        )
    return rungs


def check(rungs: Sequence[int], evaluations: Sequence[int], steps: int) -> None:
    """Raises `UserError` if a rung is not before the last step, or the first one before any evaluation."""
    if rungs and rungs[-1] >= steps:
        raise UserError(
            f'--rungs: {rungs[-1]} is not below {steps}, the steps of the config. A rung is a step at which '
            'runs pause; the last stage needs none.'
        )
    if rungs and not any(step <= rungs[0] for step in evaluations):
        first = f'The first one is at step {evaluations[0]}' if evaluations else 'There is none'
        raise UserError(
            f'--rungs: no evaluation up to step {rungs[0]} can choose the survivors. {first}: choose later '
            'rungs, or bind Trainer.evaluate_every.'
        )
