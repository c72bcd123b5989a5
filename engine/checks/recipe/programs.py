"""Checks that the experiment runs, and that it repeats and resumes to the bit."""

import dataclasses
import math
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine.checks.experiment_under_test import ExperimentUnderTest
from engine.checks.finding import Finding, judged
from engine.interfaces import State
from engine.training.checkpointing.checkpoints import Checkpoints
from engine.variables import by_path

MAX_NAMES = 3  # differing arrays that a result names


def builds(experiment: ExperimentUnderTest) -> Finding:
    """The task binds to the data, and its functions can be traced on shapes."""
    original = experiment.experiment
    original.check()
    arrays = jax.tree.leaves(original.step_functions.state_shapes['params'])
    count = sum(math.prod(array.shape) for array in arrays)
    epochs = original.bound_order.epoch(original.steps)
    return judged(
        count > 0,
        f'{count:,} parameters in {len(arrays)} arrays; {original.steps} steps of {original.batch_size} '
        f'examples, {epochs:.3g} epochs',
        "The state has nothing under 'params'. Return the network's parameters there.",
    )


def steps(experiment: ExperimentUnderTest) -> Finding:
    """Three training steps run, and their metrics are finite."""
    _, measured = experiment.run(3)
    problems = [
        f'{name} is {value} at step {step}'
        for step, metrics in enumerate(measured, start=1)
        for name, value in metrics.items()
        if not math.isfinite(value)
    ]
    last = ', '.join(f'{name} {value:.3g}' for name, value in measured[-1].items())
    return judged(
        not problems,
        problems[0] if problems else last,
        'Look for a logarithm of 0, a division by 0, or a learning rate that is far too large.',
    )


def repeats(experiment: ExperimentUnderTest) -> Finding:
    """Three steps of a second experiment with the same seed are equal to the bit."""
    state, metrics = experiment.run(3)
    other_state, other_metrics = _copy(experiment).run(3)
    names = _different_arrays(state, other_state)
    is_same = not names and repr(metrics) == repr(other_metrics)
    return judged(
        is_same,
        'state and metrics are equal to the bit'
        if is_same
        else f'different: {", ".join(names[:MAX_NAMES]) or "metrics"}',
        'Something depends on more than the key: np.random, random, time, or the order of a set.',
    )


def _copy(experiment: ExperimentUnderTest) -> ExperimentUnderTest:
    """Returns the same experiment without its cached programs and states."""
    copy = dataclasses.replace(experiment.experiment)
    copy.__dict__['data'] = experiment.experiment.data
    return ExperimentUnderTest(copy)


def resumes(experiment: ExperimentUnderTest) -> Finding:
    """A step from a saved and restored state equals one from the state in memory, to the bit."""
    state, _ = experiment.run(2)
    with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder) / 'checkpoints') as checkpoints:
        checkpoints.save('latest', 2, state)
        checkpoints.wait()
        restored = checkpoints.restore('latest', 2, experiment.experiment.step_functions.state_shapes)
    size = sum(array.nbytes for array in jax.tree.leaves(state))
    continued, _ = experiment.run(1, jax.tree.map(jnp.copy, state), start=2)
    resumed, _ = experiment.run(1, restored, start=2)
    names = _different_arrays(continued, resumed)
    return judged(
        not names,
        f'different: {", ".join(names[:MAX_NAMES])}'
        if names
        else f'{size / 2**20:.3g} MiB, equal to the bit',
        'Keep everything that a step depends on in the state, as arrays, and nothing in the task or model.',
    )


def _different_arrays(one: State, other: State) -> list[str]:
    """Returns the names of the arrays whose bits differ."""
    equal = by_path(jax.tree.map(_is_same, one, other))
    return [path for path, is_same in equal.items() if not is_same]


def _is_same(one: Any, other: Any) -> bool:
    return np.asarray(one).tobytes() == np.asarray(other).tobytes()
