"""A network together with its optimizer, for tasks that train several networks."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import optax
from flax import nnx

from engine.interfaces import Batch, Metrics, State, average
from engine.network import LossFunction, Network, gradients
from engine.parts import learning_rate
from engine.parts.learning_rate import LearningRate, checked


@dataclass(frozen=True)
class Trainable:
    """A network, its optimizer and its learning rate. Its state: params, model_state and opt_state.

    Args:
      name: beginning of the names of its metrics, such as 'generator'.
      network: the network.
      optimizer: the optimizer, which follows `learning_rate`.
      learning_rate: a number, or a schedule that counts the steps of this optimizer.
    """

    name: str
    network: Network
    optimizer: optax.GradientTransformation
    learning_rate: LearningRate

    @classmethod
    def of(
        cls,
        name: str,
        model: Callable[..., nnx.Module],
        optimizer: Callable[..., optax.GradientTransformation],
        learning_rate: LearningRate,
    ) -> 'Trainable':
        """Returns a model, called with rngs, with an optimizer, called with the learning rate."""
        network = Network(lambda rngs: model(rngs=rngs))
        return cls(name, network, optimizer(checked(learning_rate)), learning_rate)

    def init(self, key: jax.Array) -> State:
        """Returns the first state."""
        params, model_state = self.network.init(key)
        return {'params': params, 'model_state': model_state, 'opt_state': self.optimizer.init(params)}

    def __call__(self, state: State, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Returns the network's output for x, [B, ...], in training mode if there is a key."""
        return self.network(state['params'], state['model_state'], x, key)[0]

    def step(self, state: State, loss: LossFunction, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after one optimizer step on the mean loss, and the metrics of that step."""
        grads, metrics, model_state = gradients(loss, state['params'], state['model_state'], batch, key)
        updates, opt_state = self.optimizer.update(grads, state['opt_state'], state['params'])
        params = optax.apply_updates(state['params'], updates)
        averages = {name: average(values) for name, values in metrics.items()}
        averages[f'{self.name}_gradient_norm'] = average(optax.tree.norm(grads)[None])
        return {'params': params, 'model_state': model_state, 'opt_state': opt_state}, averages

    def learning_rate_metric(self, steps: jax.Array) -> Metrics:
        """Returns the learning rate after `steps` steps of this optimizer, int32 []."""
        return {f'{self.name}_learning_rate': average(learning_rate.at_step(self.learning_rate, steps)[None])}
