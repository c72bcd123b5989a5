"""A step with a metric that is NaN or infinite: repeated by replay, and kept for inspection."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine import sharding
from engine.training import replay
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.training.experiment import Experiment
from engine.training.steps import TRAIN, key
from engine.variables import by_path
from engine.workspace import REPOSITORY

SCRIPT = '''"""Repeats one step and has JAX look for the first NaN; prints where it arises.

    {repository}/.venv/bin/python {folder}/replay.py
"""

import sys

sys.path.insert(0, {repository!r})

import jax

from engine.config.config import Config
from engine.training import nonfinite
from engine.training.logs import metrics
from engine.training.trainer import Trainer

jax.config.update('jax_debug_nans', True)
experiment = Config([{config!r}]).build(Trainer)
state, batch = nonfinite.load(experiment, {folder!r})
_, measured = experiment.bound.update(state, batch, nonfinite.step_key(experiment, {step}))
print(metrics.merged([measured]))
'''


def step_key(experiment: Experiment, step: int) -> jax.Array:
    """Returns the random key of a step; the first step is 1."""
    return key(experiment.seed, TRAIN, step - 1)


def keep(experiment: Experiment, checkpoints: Checkpoints, run: Path, step: int) -> Path:
    """Writes `debug/nonfinite/`: the batch of a step, the state before it, a script that repeats it.

    Args:
      experiment: of the run.
      checkpoints: of the run; the replay starts from the last one before the step.
      run: its folder.
      step: with a metric that is not finite.

    Returns:
      The folder.
    """
    folder = run / 'debug' / 'nonfinite'
    folder.mkdir(parents=True, exist_ok=True)
    start = max((saved for saved in checkpoints.steps('latest') if saved < step), default=0)
    state = replay.saved_state(experiment, checkpoints, start, run)
    state = replay.state_before(experiment, state, start, step)
    _save(folder / 'state.npz', sharding.fetch(state))
    _save(folder / 'batch.npz', experiment.batch(step - 1))
    text = SCRIPT.format(
        repository=str(REPOSITORY), folder=str(folder), config=str(run / 'config.gin'), step=step
    )
    (folder / 'replay.py').write_text(text, encoding='utf-8')
    return folder


def _save(path: Path, tree: Any) -> None:
    """Saves the leaves of a tree by their paths, such as `image`, or `unlabelled/image` of a further part."""
    np.savez(path, **by_path(tree))


def load(experiment: Experiment, folder: str) -> tuple[Any, dict[str, np.ndarray]]:
    """Returns the state and the batch that `keep` wrote."""
    shapes = experiment.step_functions.state_shapes, experiment.data.spec.batch(experiment.batch_size)
    return _load(Path(folder) / 'state.npz', shapes[0]), _load(Path(folder) / 'batch.npz', shapes[1])


def _load(path: Path, shapes: Any) -> Any:
    """Returns a tree that `_save` wrote."""
    with np.load(path) as saved:
        return jax.tree.unflatten(jax.tree.structure(shapes), [saved[name] for name in by_path(shapes)])
