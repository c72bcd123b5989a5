"""Synchronous successive halving: after each rung, the best runs survive and train on.

All runs of a rung end before the next one begins, so the survivors do not depend on the order of the workers.

Source: Jamieson, Talwalkar: "Non-stochastic best arm identification and hyperparameter optimization", 2016.
"""

import math
from collections.abc import Sequence

from engine.errors import UserError
from engine.run_reader import settings
from engine.runs import json_lines
from engine.sweeps.sweep_folder import Proposal, Sweep


def survivors(sweep: Sweep, runs: Sequence[Proposal], step: int, keep: float, metric: str) -> list[Proposal]:
    """Returns the runs that train on after a rung, in the order of their proposals.

    Args:
      sweep: the sweep.
      runs: the runs of the rung. Failed ones, and those without a finite metric, never survive.
      step: the step of the rung. The last evaluation up to it counts.
      keep: one run in so many survives, and at least one.
      metric: `name` or `-name` of a metric of val.jsonl that is better where higher or lower; '' takes
        `Trainer.best` of each run's config.

    Raises:
      UserError: no run was evaluated up to the rung.
    """
    scores = {run.name: _score(sweep, run, step, metric) for run in runs}
    sound = [run for run in runs if math.isfinite(scores[run.name])]
    if not sound:
        raise UserError(
            f'no run of {sweep.folder} has a metric to choose by up to step {step}. Bind Trainer.best or '
            'pass --metric, and evaluate at the rungs: Trainer.evaluate_every.'
        )
    best = sorted(sound, key=lambda run: -scores[run.name])[: max(1, math.ceil(len(runs) / keep))]
    return [run for run in runs if run in best]


def _score(sweep: Sweep, run: Proposal, step: int, metric: str) -> float:
    """Returns a number that is larger for better runs; minus infinity for one that has failed."""
    folder = sweep.run(run.name)
    if sweep.ended(f'{run.name}@{step}').get('state') == 'failed':
        return -math.inf
    name, sign = metric.lstrip('-'), -1 if metric.startswith('-') else 1
    if not metric:
        name, direction = settings.parse((folder / 'config.gin').read_text(encoding='utf-8')).best
        sign = -1 if direction == 'min' else 1
    lines = [line for line in json_lines.read(folder / 'logs' / 'val.jsonl') if line['step'] <= step]
    values = [line[name] for line in lines if name in line]
    return sign * values[-1] if values and values[-1] is not None else -math.inf
