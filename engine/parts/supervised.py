"""Supervised learning: one network, one optimizer, a loss per example. Kinds of tasks derive from it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.interfaces import VALID, Batch, Description, Metrics, Spec, State, average
from engine.network import Network, gradients

LearningRate = float | Callable[[Any], Any]  # a number, or a schedule: step -> number


@dataclass(frozen=True, kw_only=True)
class Supervised(ABC):
    """What every supervised task is made of.

    Args:
      model: makes the model; the task calls it with what the dataset implies.
      optimizer: makes the optimizer from a learning rate, as `optax.adamw` does.
      learning_rate: a number or a schedule (step -> number).
      clip: largest norm of the gradient, which is scaled down to it; 0 leaves it as it is. Pascanu et al.
        2013, https://arxiv.org/abs/1211.5063.
      average: decay per step of the exponential moving average of the parameters; evaluation and prediction
        use that average. 0 has them use the last parameters. Polyak and Juditsky 1992.
      accumulate: parts that a batch is worked off in, for less memory.
      dtype: what the network computes in; parameters and statistics stay float32.
      remat: computes activations again in the backward pass instead of keeping them.
    """

    model: Callable[..., nnx.Module]
    optimizer: Callable[..., optax.GradientTransformation]
    learning_rate: LearningRate
    clip: float = 0.0
    average: float = 0.0
    accumulate: int = 1
    dtype: Literal['float32', 'bfloat16'] = 'float32'
    remat: bool = False

    @abstractmethod
    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset."""

    def augmented(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch as training sees it, inputs and targets alike; by default as it is."""
        del key
        return batch

    @abstractmethod
    def inputs(self, batch: Batch) -> jax.Array:
        """Returns what the model sees."""

    def shown(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns what is looked at before training: by default what the model sees."""
        return {'inputs': self.inputs(batch)}

    @abstractmethod
    def measure(self, output: Any, batch: Batch) -> dict[str, Any]:
        """Returns quantities of each example; 'loss', the one whose mean is minimised, among them.

        Each is f32 [B], or a pair of values and what they count, as `interfaces.average` takes them.
        """

    @abstractmethod
    def predictions(self, output: Any, batch: Batch) -> dict[str, jax.Array]:
        """Returns what is saved of the model's output, each array [B, ...]."""

    @abstractmethod
    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""

    def first_loss(self, spec: Spec) -> float | None:
        """Returns the loss of guessing, which a network begins with; None where nobody knows."""
        del spec

    def bind(self, spec: Spec) -> 'BoundSupervised':
        """Returns the task for one dataset, its model built abstractly."""
        network = Network(lambda rngs: self.build(spec, rngs), self.dtype, self.remat)
        return BoundSupervised(self, spec, network, self.optimizer(self.learning_rate))


@dataclass(frozen=True)
class BoundSupervised:
    """A supervised task bound to its data.

    State: params, rest (of the network), optimizer, steps (int32), and average (of params) if asked for.
    """

    task: Supervised
    spec: Spec
    network: Network
    optimizer: optax.GradientTransformation

    def init(self, key: jax.Array) -> State:
        """Returns the first state."""
        params, rest = self.network.init(key)
        optimizer = self.optimizer.init(params)
        state = {'params': params, 'rest': rest, 'optimizer': optimizer, 'steps': jnp.zeros((), jnp.int32)}
        return state | ({'average': params} if self.task.average else {})

    def update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after one step of the optimizer on the mean loss."""
        augmentation_key, network_key = jax.random.split(key)
        seen = self.task.augmented(batch, augmentation_key)
        found, measures, rest = gradients(
            self._loss, state['params'], state['rest'], seen, network_key, self.task.accumulate
        )
        norm = optax.tree.norm(found)
        if self.task.clip:
            found = jax.tree.map(lambda x: x * jnp.minimum(1, self.task.clip / norm), found)
        updates, optimizer = self.optimizer.update(found, state['optimizer'], state['params'])
        params = optax.apply_updates(state['params'], updates)
        metrics = _averages(measures) | {
            'learning_rate': average(self._learning_rate(state['steps'])[None]),
            'gradient_norm': average(norm[None]),
        }
        changed = {'params': params, 'rest': rest, 'optimizer': optimizer, 'steps': state['steps'] + 1}
        if self.task.average:
            changed['average'] = optax.incremental_update(params, state['average'], 1 - self.task.average)
        return changed, metrics

    def _loss(
        self, params: State, rest: State, batch: Batch, key: jax.Array
    ) -> tuple[jax.Array, tuple[dict[str, Any], State]]:
        output, rest = self.network(params, rest, self.task.inputs(batch), key=key)
        measures = self.task.measure(output, batch)
        return measures['loss'].mean(), (measures, rest)

    def inputs(self, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns what enters the network in the training step with this batch and key, and its targets."""
        return self.task.shown(self.task.augmented(batch, jax.random.split(key)[0]))

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Returns the sums of the measures over the valid examples."""
        return _averages(self.task.measure(self._output(state, batch), batch), batch[VALID])

    def predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        """Returns the predictions for a batch."""
        return self.task.predictions(self._output(state, batch), batch)

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        described = self.task.describe()
        random = [described.random_per_device, 'masks of Dropout' if self.network.is_random else '']
        first_loss = self.task.first_loss(self.spec)
        return replace(
            described, first_loss=first_loss, random_per_device=' and '.join(each for each in random if each)
        )

    def _output(self, state: State, batch: Batch) -> Any:
        params = state['average'] if self.task.average else state['params']
        return self.network(params, state['rest'], self.task.inputs(batch))[0]

    def _learning_rate(self, steps: jax.Array) -> jax.Array:
        rate = self.task.learning_rate
        return jnp.asarray(rate(steps) if callable(rate) else rate, float)


def _averages(measures: dict[str, Any], valid: jax.Array | None = None) -> Metrics:
    """Returns the sums of measures over examples."""
    pairs = {name: each if isinstance(each, tuple) else (each, None) for name, each in measures.items()}
    return {name: average(values, valid, counts) for name, (values, counts) in pairs.items()}
