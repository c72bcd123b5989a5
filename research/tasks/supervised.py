"""Supervised learning: one network, one optimizer, a loss per example. Kinds of tasks derive from it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from research.interfaces import VALID, Batch, Description, Metrics, Network, Spec, State, average

LearningRate = float | Callable[[Any], Any]  # a number, or a schedule: step -> number


@dataclass(frozen=True, kw_only=True)
class Supervised(ABC):
    """What every supervised task is made of.

    Args:
      model: makes the model; the task calls it with what the dataset implies.
      optimizer: makes the optimizer from a learning rate, as `optax.adamw` does.
      learning_rate: a number or a schedule (step -> number).
    """

    model: Callable[..., nnx.Module]
    optimizer: Callable[..., optax.GradientTransformation]
    learning_rate: LearningRate

    @abstractmethod
    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset."""

    @abstractmethod
    def inputs(self, batch: Batch, key: jax.Array | None = None) -> jax.Array:
        """Returns what the model sees; a key means training, with augmentation."""

    @abstractmethod
    def measure(self, output: Any, batch: Batch) -> dict[str, jax.Array]:
        """Returns per-example quantities f32 [B]; 'loss', the one whose mean is minimised, among them."""

    @abstractmethod
    def predictions(self, output: Any) -> dict[str, jax.Array]:
        """Returns what is saved of the model's output, each array [B, ...]."""

    @abstractmethod
    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""

    def bind(self, spec: Spec) -> 'BoundSupervised':
        """Returns the task for one dataset, its model built abstractly."""
        network = Network(lambda rngs: self.build(spec, rngs))
        return BoundSupervised(self, network, self.optimizer(self.learning_rate))


@dataclass(frozen=True)
class BoundSupervised:
    """A supervised task bound to its data. State: params, rest (of the network), optimizer, steps (int32)."""

    task: Supervised
    network: Network
    optimizer: optax.GradientTransformation

    def init(self, key: jax.Array) -> State:
        """Returns the first state."""
        params, rest = self.network.init(key)
        optimizer = self.optimizer.init(params)
        return {'params': params, 'rest': rest, 'optimizer': optimizer, 'steps': jnp.zeros((), jnp.int32)}

    def update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after one step of the optimizer on the mean loss."""
        augmentation_key, network_key = jax.random.split(key)
        inputs = self.task.inputs(batch, augmentation_key)

        def mean_loss(params: State) -> tuple[jax.Array, tuple[dict[str, jax.Array], State]]:
            output, rest = self.network(params, state['rest'], inputs, key=network_key)
            measures = self.task.measure(output, batch)
            return measures['loss'].mean(), (measures, rest)

        gradients, (measures, rest) = jax.grad(mean_loss, has_aux=True)(state['params'])
        updates, optimizer = self.optimizer.update(gradients, state['optimizer'], state['params'])
        params = optax.apply_updates(state['params'], updates)
        metrics = {name: average(values) for name, values in measures.items()} | {
            'learning_rate': average(self._learning_rate(state['steps'])[None]),
            'gradient_norm': average(optax.tree.norm(gradients)[None]),
        }
        steps = state['steps'] + 1
        return {'params': params, 'rest': rest, 'optimizer': optimizer, 'steps': steps}, metrics

    def inputs(self, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns what enters the network in the training step with this batch and key."""
        return {'inputs': self.task.inputs(batch, jax.random.split(key)[0])}

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Returns the sums of the measures over the valid examples."""
        output, _ = self.network(state['params'], state['rest'], self.task.inputs(batch))
        measures = self.task.measure(output, batch)
        return {name: average(values, batch[VALID]) for name, values in measures.items()}

    def predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        """Returns the predictions for a batch."""
        output, _ = self.network(state['params'], state['rest'], self.task.inputs(batch))
        return self.task.predictions(output)

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return self.task.describe()

    def _learning_rate(self, steps: jax.Array) -> jax.Array:
        rate = self.task.learning_rate
        return jnp.asarray(rate(steps) if callable(rate) else rate, jnp.float32)
