"""Whether the experiment is the same function however it is spread over devices."""

import math
from typing import Any

import jax
import numpy as np

from engine.checks.finding import Finding, judged, skipped
from engine.checks.subject import Subject, Values, values
from engine.interfaces import State
from engine.sharding import Jit, Parallelism, PMap
from engine.training.batches.training import from_host
from engine.training.steps import StepFunctions, compiled

TOLERANCE = 1e-5  # of the largest value of an array: some hundred roundings of float32
# Adam divides a gradient by its own size: where that is nearly zero, rounding moves the parameter by a part
# of the learning rate. Another function moves many by all of it.
SHARE = 0.05  # of the learning rate
BEFORE = 3  # steps before the one compared, so that what begins at zero no longer is


class Spread:
    """An experiment's training step and evaluation on some devices."""

    def __init__(self, subject: Subject, devices: Parallelism):
        experiment = subject.experiment
        self._experiment, self._batch = experiment, subject.held_out[0]
        self._source = from_host(experiment.data.split('train'), experiment.order, devices)
        self._programs = StepFunctions(experiment.bound, devices, experiment.seed)
        traced = self._programs.trace(self._source, self._batch, [1])
        self._update, self._evaluate = compiled(traced.train_steps[1]), compiled(traced.evaluate)

    def first(self) -> State:
        """Returns the first state, on the host."""
        return jax.device_get(self._programs.init())

    def step(self, state: State, step: int) -> tuple[State, Values]:
        """Returns state and metrics of one training step, on the host."""
        state, metrics = self._update(self._placed(state), self._source.inputs(step, 1), np.int32(step))
        return jax.device_get(state), values(jax.tree.map(lambda sums: sums[0], metrics))

    def evaluate(self, state: State) -> Values:
        """Returns the metrics of a validation batch."""
        return values(self._evaluate(self._placed(state), self._batch))

    def _placed(self, state: State) -> State:
        shardings = jax.tree.map(lambda leaf: leaf.sharding, self._programs.state_shapes)
        return jax.device_put(state, shardings)


def devices(subject: Subject) -> Finding:
    """A step from a common state, and evaluation, are the same under jit, fsdp and pmap as on one device."""
    count = math.gcd(jax.device_count(), subject.experiment.batch_size)
    if count == 1:
        return skipped('there is one device: nothing to compare')
    reference = Spread(subject, Jit(data=1))
    state = reference.first()
    for step in range(BEFORE):
        state, _ = reference.step(state, step)
    expected = reference.step(state, BEFORE), reference.evaluate(state)
    ways = {'data': Jit(data=count), 'fsdp': Jit(data=1, fsdp=count), 'pmap': PMap(count)}
    found, wrong = [], []
    tolerance = max(TOLERANCE, SHARE * (subject.paced.rate or 0))
    for name, way in ways.items():
        spread = Spread(subject, way)
        step = _difference(expected[0], spread.step(state, BEFORE))
        evaluation = _difference(expected[1], spread.evaluate(state))
        excused = name == 'pmap' and subject.description.random_per_device
        shown = f'{step:.0e}' if step <= tolerance or not excused else f'another step ({excused})'
        found.append(f'{name}: {shown}, evaluation {evaluation:.0e}')
        if evaluation > TOLERANCE or (step > tolerance and not excused):
            wrong.append(name)
    return judged(
        not wrong,
        f'{count} devices; ' + '; '.join(found),
        f'Under {" and ".join(wrong)} it is another function. Means over the batch are '
        '`interfaces.across_devices(...)`, randomness per example `interfaces.keys_by_row(...)`; what holds '
        'only in distribution is declared by `Description.random_per_device`. With bfloat16 expect 1e-2.',
    )


def _difference(expected: Any, found: Any) -> float:
    """Returns the largest difference in two trees, each array's relative to its largest value, at least 1."""

    def of(one: Any, other: Any) -> float:
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
        scale = max(1.0, float(np.max(np.abs(one), initial=0)))
        return float(np.max(np.abs(one - other), initial=0)) / scale

    differences = jax.tree.leaves(jax.tree.map(of, expected, found))
    return float('inf') if any(map(math.isnan, differences)) else max(differences)
