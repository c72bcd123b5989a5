"""Whether an experiment runs, and runs again to the bit."""

import dataclasses
import math
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine.checks.finding import Finding, judged
from engine.checks.subject import Subject
from engine.interfaces import State
from engine.training.checkpoints import Checkpoints


def builds(subject: Subject) -> Finding:
    """Everything is built, the task bound to the data, its functions traced on shapes."""
    experiment = subject.experiment
    experiment.check()
    arrays = jax.tree.leaves(experiment.step_functions.state_shapes['params'])
    count = sum(math.prod(each.shape) for each in arrays)
    epochs = experiment.order.epoch(experiment.steps)
    return judged(
        count > 0,
        f'{count:,} parameters in {len(arrays)} arrays; {experiment.steps} steps of {experiment.batch_size} '
        f'examples, {epochs:.3g} epochs',
        "The state has nothing under 'params': return the network's parameters there.",
    )


def steps(subject: Subject) -> Finding:
    """Three training steps run, and all they measure is finite."""
    _, found = subject.run(3)
    wrong = [
        f'{name} is {value} at step {step}'
        for step, metrics in enumerate(found, start=1)
        for name, value in metrics.items()
        if not math.isfinite(value)
    ]
    shown = ', '.join(f'{name} {value:.3g}' for name, value in found[-1].items())
    return judged(
        not wrong,
        wrong[0] if wrong else shown,
        'Look for a logarithm or a division of 0, and for a learning rate that is far too large.',
    )


def repeats(subject: Subject) -> Finding:
    """Built anew from the same seed, three steps come out the same to the bit."""
    state, found = subject.run(3)
    other_state, other_found = _anew(subject).run(3)
    differing = _differing(state, other_state)
    same = not differing and repr(found) == repr(other_found)
    return judged(
        same,
        'state and metrics equal to the bit' if same else f'differs: {", ".join(differing[:3]) or "metrics"}',
        'Something draws randomness that is not from the key: np.random, random, time or the order of a set.',
    )


def _anew(subject: Subject) -> Subject:
    experiment = dataclasses.replace(subject.experiment)  # without what was made on first use
    experiment.__dict__['data'] = subject.experiment.data
    return Subject(experiment)


def resumes(subject: Subject) -> Finding:
    """A state that was saved and restored goes on as the one in memory does, to the bit."""
    state, _ = subject.run(2)
    with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder) / 'checkpoints') as checkpoints:
        checkpoints.save('latest', 2, state)
        checkpoints.wait()
        restored = checkpoints.restore('latest', 2, subject.experiment.step_functions.state_shapes)
    size = sum(each.nbytes for each in jax.tree.leaves(state))
    kept, _ = subject.run(1, jax.tree.map(jnp.copy, state), start=2)
    resumed, _ = subject.run(1, restored, start=2)
    differing = _differing(kept, resumed)
    return judged(
        not differing,
        f'differs: {", ".join(differing[:3])}' if differing else f'{size / 2**20:.3g} MiB, equal to the bit',
        'The state must hold all that a step depends on, as arrays: nothing is kept in the task or model.',
    )


def _differing(one: State, other: State) -> list[str]:
    """Returns the names of the arrays whose bits differ."""
    found, _ = jax.tree_util.tree_flatten_with_path(jax.tree.map(_same, one, other))
    return [jax.tree_util.keystr(path, simple=True, separator='/') for path, same in found if not same]


def _same(one: Any, other: Any) -> bool:
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()
