"""Checks that the experiment computes the same on one device and on several."""

import math
from typing import Any

import jax
import numpy as np

from engine.checks.experiment_under_test import ExperimentUnderTest, Values, values
from engine.checks.finding import Finding, judged, skipped
from engine.interfaces import State
from engine.sharding import Jit, Parallelism, PMap
from engine.training.batches.training import training_source
from engine.training.steps import StepFunctions, compiled

MAX_DIFFERENCE = 1e-5  # share of an array's largest value: some hundred roundings of float32
# Adam divides a gradient by its own size. If that is nearly zero, rounding moves the parameter by a part of
# the learning rate. A wrong function moves many parameters by all of it.
MAX_RATE_SHARE = 0.05  # of the learning rate
STEPS_BEFORE = 3  # steps before the compared one, so that nothing is still at its initial zero


class DeviceLayout:
    """An experiment's training step and evaluation on some devices."""

    def __init__(self, experiment: ExperimentUnderTest, parallelism: Parallelism):
        original = experiment.experiment
        self._batch = experiment.validation_batches[0]
        self._source = training_source(original.parts, original.bound_order, original.seed, parallelism)
        self._functions = StepFunctions(original.bound, parallelism, original.seed)
        traced = self._functions.trace(self._source, self._batch, [1])
        self._update, self._evaluate = compiled(traced.train_steps[1]), compiled(traced.evaluate)

    def first_state(self) -> State:
        """Returns the state before training, on the host."""
        return jax.device_get(self._functions.init())

    def step(self, state: State, step: int) -> tuple[State, Values]:
        """Runs one training step, and returns state and metrics on the host."""
        state, metrics = self._update(self._sharded(state), self._source.inputs(step, 1), np.int32(step))
        return jax.device_get(state), values(metrics)

    def evaluate(self, state: State) -> Values:
        """Returns the metrics of a validation batch."""
        return values(self._evaluate(self._sharded(state), self._batch))

    def _sharded(self, state: State) -> State:
        shardings = jax.tree.map(lambda leaf: leaf.sharding, self._functions.state_shapes)
        return jax.device_put(state, shardings)


def devices(experiment: ExperimentUnderTest) -> Finding:
    """A training step and evaluation agree under jit, fsdp and pmap with those on one device."""
    count = math.gcd(jax.device_count(), experiment.experiment.batch_size)
    if count == 1:
        return skipped('there is only one device')
    reference = DeviceLayout(experiment, Jit(data=1))
    state = reference.first_state()
    for step in range(STEPS_BEFORE):
        state, _ = reference.step(state, step)
    expected_step, expected_metrics = reference.step(state, STEPS_BEFORE), reference.evaluate(state)
    layouts = {'data': Jit(data=count), 'fsdp': Jit(data=1, fsdp=count), 'pmap': PMap(count)}
    max_step = max(MAX_DIFFERENCE, MAX_RATE_SHARE * (experiment.task.highest_rate or 0))
    results, wrong = [], []
    for name, parallelism in layouts.items():
        layout = DeviceLayout(experiment, parallelism)
        step = _difference(expected_step, layout.step(state, STEPS_BEFORE))
        evaluation = _difference(expected_metrics, layout.evaluate(state))
        reason = experiment.description.random_per_device if name == 'pmap' else ''
        step_text = f'{step:.0e}' if step <= max_step or not reason else f'another step ({reason})'
        results.append(f'{name}: {step_text}, evaluation {evaluation:.0e}')
        if evaluation > MAX_DIFFERENCE or (step > max_step and not reason):
            wrong.append(name)
    return judged(
        not wrong,
        f'{count} devices; ' + '; '.join(results),
        f'Under {" and ".join(wrong)} the results differ. Compute means over the batch by '
        '`interfaces.across_devices(...)` and randomness per example by `interfaces.keys_by_row(...)`. State '
        'what holds only in distribution in `Description.random_per_device`. With bfloat16, expect 1e-2.',
    )


def _difference(expected: Any, actual: Any) -> float:
    """Returns the largest difference of two trees, relative to each array's largest value or 1."""

    def array_difference(one: Any, other: Any) -> float:
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
        scale = max(1.0, float(np.max(np.abs(one), initial=0)))
        return float(np.max(np.abs(one - other), initial=0)) / scale

    differences = jax.tree.leaves(jax.tree.map(array_difference, expected, actual))
    return float('inf') if any(map(math.isnan, differences)) else max(differences)
