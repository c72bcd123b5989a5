"""A network together with what trains it, for tasks that train several networks."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
from flax import nnx

from engine.gradients import LossFunction
from engine.interfaces import Batch, Metrics, State, average
from engine.network import Network
from engine.parts.optimizers.extra_arguments import OptimizerFactory
from engine.parts.optimizers.learning_rate import LearningRate
from engine.parts.optimizers.minimizer import Minimizer


@dataclass(frozen=True)
class Trainable:
    """A network, its optimizer and its learning rate. Its state: params, model_state and opt_state.

    Args:
      name: beginning of the names of its metrics, such as 'generator'.
      network: the network.
      minimizer: its optimizer and its learning rate, which counts the steps of this optimizer.
    """

    name: str
    network: Network
    minimizer: Minimizer

    @classmethod
    def of(
        cls,
        name: str,
        model: Callable[..., nnx.Module],
        optimizer: OptimizerFactory,
        learning_rate: LearningRate,
    ) -> 'Trainable':
        """Returns a model, called with rngs, with an optimizer, called with the learning rate."""
        return cls(name, Network(lambda rngs: model(rngs=rngs)), Minimizer(optimizer, learning_rate))

    def __call__(self, state: State, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Returns the network's output for x, [B, ...], in training mode if there is a key."""
        return self.network(state['params'], state['model_state'], x, key)[0]

    def step(self, state: State, loss: LossFunction, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after one optimizer step on the mean loss, and the metrics of that step."""
        new_state, examples, norm = self.minimizer.step(loss, state, batch, key)
        averages = {name: average(values) for name, values in examples.items()}
        averages[f'{self.name}_gradient_norm'] = average(norm[None])
        return new_state, averages

    def module(self, state: State) -> nnx.Module:
        """Returns the network as a Flax module, in evaluation mode."""
        return self.network.module(state['params'], state['model_state'])

    def learning_rate_metric(self, state: State, steps: jax.Array) -> Metrics:
        """Returns the learning rate after `steps` steps of this optimizer, int32 []."""
        return self.minimizer.rate_metric(state['opt_state'], steps, f'{self.name}_learning_rate')
