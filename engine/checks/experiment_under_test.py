"""The experiment that the checks examine: its programs, its data, and trainings that several checks share."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from itertools import islice
from typing import Any

import jax
import numpy as np

from engine.checks.agreement import agreement
from engine.checks.memorisation import EVALUATE_EVERY, MAX_STEPS, BatchEvaluation, Memorisation
from engine.checks.tunable_task import TunableTask
from engine.datasets.reading.dataset import Examples
from engine.interfaces import INDEX, VALID, Metrics, State
from engine.training import steps
from engine.training.batches.evaluation import evaluation_batches
from engine.training.experiment import Experiment
from engine.training.logs.metrics import merged
from engine.training.logs.packed import PackedMetrics
from engine.training.steps import Compiled, compiled

Arrays = dict[str, Any]
Values = dict[str, float]

LOSS = 'loss'
FROZEN = 'frozen'  # how `parameter_groups` calls what is not trained
WARM_UP = 10  # steps. They suffice even for optimizers that are trained with a long warm-up.
MAX_VALIDATION_BATCHES = 8


class ExperimentUnderTest:
    """An experiment that is checked.

    `run` uses the compiled programs of the experiment itself. The other methods use one device, and a
    learning rate that the check chooses (`TunableTask`).

    Args:
      experiment: a built experiment that has not run yet.
    """

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.task = TunableTask(experiment.task, experiment.data.spec, experiment.steps)
        self.description = self.task.bound.describe()
        self._update = jax.jit(self.task.update)
        self._evaluate = jax.jit(self.task.bound.evaluate)
        self._predict = jax.jit(self.task.bound.predict)
        self._inputs = jax.jit(self.task.bound.debug_inputs)

    @property
    def truth_fields(self) -> list[str]:
        """The fields of the data that hold the targets."""
        return list(self.description.truth.values())

    @property
    def frozen(self) -> set[str]:
        """The paths of the parameters that are not trained on purpose."""
        describe = getattr(self.task.bound, 'parameter_groups', dict)
        return {path for path, group in describe().items() if group == FROZEN}

    def has_loss(self) -> bool:
        """Whether training and evaluation measure a 'loss'."""
        traced = self.experiment.traced
        return LOSS in traced.evaluate.out_info.names and LOSS in traced.train_steps[1].out_info[1].names

    # The experiment's own programs.

    @cached_property
    def _program(self) -> Compiled:
        return compiled(self.experiment.traced.train_steps[1])

    def run(self, count: int, state: State | None = None, start: int = 0) -> tuple[State, list[Values]]:
        """Runs training steps, and returns state and metrics. The buffers of `state` are donated."""
        current = state or self.experiment.step_functions.init(self.experiment.init_from)
        measured = []
        for step in range(start, start + count):
            current, metrics = self._program(current, self.experiment.source.inputs(step, 1), np.int32(step))
            measured.append(values(metrics))
        return current, measured

    # The task's functions on one device.

    @cached_property
    def first_state(self) -> State:
        """The state before training, with the trained variables that the experiment starts from."""
        source, shapes = self.experiment.init_from, self.experiment.step_functions.model_shapes
        loaded = jax.device_get(source.load(shapes)) if source else None
        first_key = steps.key(self.experiment.seed, steps.INIT)
        return jax.jit(partial(steps.first_state, self.task.bound))(first_key, loaded)

    def key(self, step: int) -> jax.Array:
        """Returns the key of a training step."""
        return steps.key(self.experiment.seed, steps.TRAIN, step)

    def train(self, batches: Iterable[Arrays], rates: Iterable[float]) -> Iterator[tuple[State, Values]]:
        """Trains from the first state on, and yields state and metrics of each step."""
        state = self.first_state
        for step, (batch, rate) in enumerate(zip(batches, rates, strict=False)):
            state, metrics = self._update(state, batch, self.key(step), rate)
            yield state, values(metrics)

    def rates(self, count: int) -> list[float]:
        """Returns the learning rates of a short training: a warm-up, then the highest configured rate."""
        return [(self.task.highest_rate or 0.0) * min(1, (step + 1) / WARM_UP) for step in range(count)]

    def evaluate(self, state: State, batch: Arrays) -> dict[str, np.ndarray]:
        """Returns total and count of each metric of a batch, [2] or [2, K]."""
        metrics = jax.device_get(self._evaluate(state, batch))
        return {name: np.stack([metric.total, metric.count]) for name, metric in metrics.items()}

    def loss(self, state: State, batches: Iterable[Arrays]) -> float:
        """Returns the loss of some evaluation batches."""
        return merged(self._evaluate(state, batch) for batch in batches)[LOSS]

    def predict(self, state: State, batch: Arrays) -> dict[str, np.ndarray]:
        """Returns the predictions for a batch."""
        return jax.device_get(self._predict(state, batch))

    def network_inputs(self, batch: Arrays, step: int) -> dict[str, np.ndarray]:
        """Returns the network's inputs in a training step."""
        return jax.device_get(self._inputs(batch, self.key(step)))

    @cached_property
    def memorisation(self) -> Memorisation:
        """A training on the first batch until the network has memorised it, or for MAX_STEPS.

        A task without 'loss' trains for a few steps only, so that its state differs from the first one.
        """
        batch = self.experiment.batch(0)
        count = MAX_STEPS if self.has_loss() else EVALUATE_EVERY
        known = Memorisation(all_valid(batch), self.first_state, [], [])
        known.evaluations.append(self._evaluation(known, 0))
        for step, (state, metrics) in enumerate(self.train([batch] * count, self.rates(count)), start=1):
            losses = [*known.losses, metrics.get(LOSS, float('nan'))]
            known = Memorisation(known.batch, state, losses, known.evaluations)
            if step % EVALUATE_EVERY == 0:
                known.evaluations.append(self._evaluation(known, step))
                if known.is_complete:
                    break
        return known

    def _evaluation(self, known: Memorisation, step: int) -> BatchEvaluation:
        loss = self.loss(known.state, [known.batch]) if self.has_loss() else float('nan')
        predictions = self.predict(known.state, known.batch)
        return BatchEvaluation(step, loss, agreement(self.description, predictions, known.batch))

    # Data.

    def batches(self, count: int) -> Iterator[Arrays]:
        """Yields the first training batches."""
        return (self.experiment.batch(step) for step in range(count))

    @property
    def validation_examples(self) -> Examples:
        """The examples of the split `val`; without one, those of the first set that is evaluated."""
        data = self.experiment.data
        return data.split('val') if 'val' in data.splits else self.experiment.validation.first.examples

    @cached_property
    def validation_batches(self) -> list[Arrays]:
        """The first batches of validation examples."""
        examples = self.validation_examples
        return list(islice(evaluation_batches(examples, self.experiment.batch_size), MAX_VALIDATION_BATCHES))


def values(metrics: Metrics | PackedMetrics) -> Values:
    """Returns the values of one batch's metrics."""
    return merged([metrics])


def all_valid(batch: Mapping[str, Any]) -> Arrays:
    """Returns the main part of a training batch with the mask that evaluation needs."""
    main = {name: array for name, array in batch.items() if not isinstance(array, Mapping)}
    return main | {VALID: np.ones(len(batch[INDEX]), bool)}


def rows(batch: Mapping[str, Any], order: np.ndarray) -> Arrays:
    """Returns the rows of a batch at the indices `order`, which may repeat and omit rows.

    A further part of the batch may have several rows for each of these: they stay together.
    """

    def reordered(array: Any) -> np.ndarray:
        groups = np.asarray(array).reshape(count, len(array) // count, *np.shape(array)[1:])
        return np.concatenate(groups[order])

    count = len(next(array for array in batch.values() if not isinstance(array, Mapping)))
    return jax.tree.map(reordered, dict(batch))


def shuffled(batch: Mapping[str, Any]) -> np.ndarray:
    """Returns indices of a batch's rows in which every row moves and one occurs several times.

    The repeated row is not the first one, because the padding of a last batch repeats that one already.
    """
    count = len(batch[INDEX])
    order = np.roll(np.arange(count), 1)
    order[-max(1, count // 4) :] = order[min(2, count - 1)]
    return order
