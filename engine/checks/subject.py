"""An experiment under examination, and what several checks need of it: its programs, its data."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any

import jax
import numpy as np

from engine.checks.paced import Paced
from engine.interfaces import INDEX, VALID, Metrics, State
from engine.training import steps
from engine.training.batches.evaluation import evaluation_batches
from engine.training.experiment import Experiment
from engine.training.metrics import merged
from engine.training.steps import Compiled, compiled

Arrays = dict[str, Any]
Values = dict[str, float]

LOSS = 'loss'
WARM_UP = 10  # steps; even an optimizer that wants it for long gets over the first of them
HELD_OUT = 8  # batches of validation examples, at most


class Subject:
    """An experiment under examination.

    Training for a check runs on one device and at a pace of its own (`Paced`); the very programs of the
    experiment are run by `run`.

    Args:
      experiment: built and not yet used.
    """

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.paced = Paced(experiment.task, experiment.data.spec, experiment.steps)
        self.description = self.paced.bound.describe()
        self._update = jax.jit(self.paced.update)
        self._evaluate = jax.jit(self.paced.bound.evaluate)
        self._predict = jax.jit(self.paced.bound.predict)
        self._inputs = jax.jit(self.paced.bound.debug_inputs)

    @property
    def truth(self) -> list[str]:
        """The fields of the data that hold what is to be predicted."""
        return list(self.description.truth.values())

    def has_loss(self) -> bool:
        """Whether training and evaluation measure a 'loss'."""
        traced = self.experiment.traced
        return LOSS in traced.evaluate.out_info and LOSS in traced.train_steps[1].out_info[1]

    # The experiment's own programs.

    @cached_property
    def _program(self) -> Compiled:
        return compiled(self.experiment.traced.train_steps[1])

    def run(self, count: int, state: State | None = None, start: int = 0) -> tuple[State, list[Values]]:
        """Returns state and metrics of training steps, as training makes them; a state given is used up."""
        current = state or self.experiment.step_functions.init()
        found = []
        for step in range(start, start + count):
            current, metrics = self._program(current, self.experiment.source.inputs(step, 1), np.int32(step))
            found.append(values(jax.tree.map(lambda sums: sums[0], metrics)))
        return current, found

    # The task's functions on one device.

    @cached_property
    def first(self) -> State:
        """The first state."""
        return jax.jit(self.paced.bound.init)(steps.key(self.experiment.seed, steps.INIT))

    def key(self, step: int) -> jax.Array:
        """Returns the key of a training step."""
        return steps.key(self.experiment.seed, steps.TRAIN, step)

    def train(self, batches: Iterable[Arrays], rates: Iterable[float]) -> Iterator[tuple[State, Values]]:
        """Yields state and metrics of each training step, from the first state on."""
        state = self.first
        for step, (batch, rate) in enumerate(zip(batches, rates, strict=False)):
            state, metrics = self._update(state, batch, self.key(step), rate)
            yield state, values(metrics)

    def rates(self, count: int) -> list[float]:
        """Returns learning rates for some steps: the highest configured, after a short warm-up."""
        return [(self.paced.rate or 0.0) * min(1, (step + 1) / WARM_UP) for step in range(count)]

    def evaluate(self, state: State, batch: Arrays) -> dict[str, np.ndarray]:
        """Returns totals and counts of each metric of a batch, [2] or [2, K]."""
        found = jax.device_get(self._evaluate(state, batch))
        return {name: np.stack([each.total, each.count]) for name, each in found.items()}

    def loss(self, state: State, batches: Iterable[Arrays]) -> float:
        """Returns the loss of some evaluation batches."""
        return merged(self._evaluate(state, batch) for batch in batches)[LOSS]

    def predict(self, state: State, batch: Arrays) -> dict[str, np.ndarray]:
        """Returns the predictions for a batch."""
        return jax.device_get(self._predict(state, batch))

    def inputs(self, batch: Arrays, step: int) -> dict[str, np.ndarray]:
        """Returns what enters the network in a training step."""
        return jax.device_get(self._inputs(batch, self.key(step)))

    # Data.

    def batches(self, count: int) -> Iterator[Arrays]:
        """Yields the first training batches."""
        return (self.experiment.batch(step) for step in range(count))

    @cached_property
    def held_out(self) -> list[Arrays]:
        """Some batches of validation examples."""
        examples = self.experiment.data.split('val')
        return list(islice(evaluation_batches(examples, self.experiment.batch_size), HELD_OUT))


def values(metrics: Metrics) -> Values:
    """Returns the values of one batch's metrics."""
    return merged([metrics])


def all_valid(batch: Mapping[str, Any]) -> Arrays:
    """Returns a training batch as evaluation is given one."""
    return {**batch, VALID: np.ones(len(batch[INDEX]), bool)}


def rows(batch: Mapping[str, Any], order: np.ndarray) -> Arrays:
    """Returns a batch with its rows in another order; some may be missing and others there twice."""
    return {name: np.asarray(array)[order] for name, array in batch.items()}


def shuffled(batch: Mapping[str, Any]) -> np.ndarray:
    """Returns an order of a batch's rows in which none stays in place and one of them comes several times.

    That is not the first one: the padding of a last batch is copies of it, and its company would be the same.
    """
    count = len(batch[INDEX])
    order = np.roll(np.arange(count), 1)
    order[-max(1, count // 4) :] = order[min(2, count - 1)]
    return order
