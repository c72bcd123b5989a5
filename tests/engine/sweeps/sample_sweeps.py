"""Sweeps whose runs are written by hand: no training."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.sweeps import axes, search
from engine.sweeps.sweep_folder import FINISHED, PAUSED, Proposal, Sweep, task


def begun(folder: Path, *vary: str, **more: Any) -> Sweep:
    """Begins a sweep that minimises `loss`."""
    description = {
        **{'gin_files': {}, 'included': {}, 'gin_bindings': [], 'vary': list(vary), 'search': 'grid'},
        **{'trials': None, 'seed': 0, 'parallel': 4, 'metric': '', 'halving': None, 'rungs': []},
        **{'objective': ['loss', 'min'], 'commit': '', 'asked': {}},
    } | more
    varied = axes.parse_all(description['vary'])
    points = search.first_points(
        description['search'], varied, description['trials'] or 0, description['seed']
    )
    sweep = Sweep(folder / 's')
    sweep.begin(description, points, description['search'], {})
    return sweep


def finish(sweep: Sweep, run: Proposal, losses: dict[int, float | None], step: int | None = None) -> None:
    """Writes the evaluations of a run, and that it has ended or paused."""
    logs = sweep.run(run.name) / 'logs'
    logs.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({'step': at, 'epoch': at / 4, 'loss': loss}) + '\n' for at, loss in losses.items()]
    (logs / 'val.jsonl').write_text(''.join(lines))
    sweep.end(task(run.name, step), state=PAUSED if step else FINISHED)


def far_from(optimum: float) -> Callable[[Sweep, Proposal], float]:
    """Returns a loss that grows with the distance of RATE from an optimum, on a logarithmic scale."""
    return lambda sweep, run: abs(math.log10(float(run.values(sweep.axes)['RATE']) / optimum))
