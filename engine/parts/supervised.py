"""Supervised learning: one network, one optimizer, one loss for each example. Other tasks derive from it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.errors import UserError
from engine.interfaces import VALID, Batch, Description, Metrics, Spec, State, average
from engine.network import Network, gradients
from engine.parts import learning_rate
from engine.parts.learning_rate import LearningRate

# (parameter, lowest value, first value that is too large)
RANGES = (
    ('ema_decay', 0, 1),
    ('label_smoothing', 0, 1),
    ('grad_clip_norm', 0, math.inf),
    ('accumulation_steps', 1, math.inf),
)


@dataclass(frozen=True, kw_only=True)
class Supervised(ABC):
    """What every supervised task has, and the hooks that a subclass overrides.

    Args:
      model: makes the model; the task calls it with what the dataset implies.
      optimizer: makes the optimizer from a learning rate, as `optax.adamw` does.
      learning_rate: a number, or a schedule (step -> number).
      grad_clip_norm: largest norm of the gradient; longer gradients are scaled down to it. 0 turns clipping
        off. Pascanu et al. 2013, https://arxiv.org/abs/1211.5063.
      ema_decay: decay per step of the exponential moving average (EMA) of the parameters. Evaluation and
        prediction use the average. 0 turns it off. Polyak and Juditsky 1992.
      accumulation_steps: number of micro-batches whose gradients are accumulated, to save memory.
      dtype: dtype of the network's computation; parameters and statistics stay float32.
      remat: recompute activations in the backward pass instead of storing them, to save memory.
    """

    model: Callable[..., nnx.Module]
    optimizer: Callable[..., optax.GradientTransformation]
    learning_rate: LearningRate
    grad_clip_norm: float = 0.0
    ema_decay: float = 0.0
    accumulation_steps: int = 1
    dtype: Literal['float32', 'bfloat16'] = 'float32'
    remat: bool = False

    @abstractmethod
    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for a dataset."""

    def augment_batch(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch as training sees it, inputs and targets both; unchanged by default."""
        del key
        return batch

    @abstractmethod
    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the network's input, [B, ...]."""

    def debug_inputs(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns the arrays [B, ...] to look at before training; the network's input by default."""
        return {'inputs': self.inputs(batch)}

    @abstractmethod
    def per_example(self, output: Any, batch: Batch) -> dict[str, Any]:
        """Returns the metrics of each example, among them 'loss', whose mean is minimised.

        Each is f32 [B], or a pair of values and counts, as `interfaces.average` takes them.
        """

    @abstractmethod
    def predictions(self, output: Any, batch: Batch) -> dict[str, jax.Array]:
        """Returns the arrays to save of the network's output, each [B, ...]."""

    @abstractmethod
    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""

    def first_loss(self, spec: Spec) -> float | None:
        """Returns the expected loss before training, that of guessing; None if it is unknown."""
        del spec

    def _check_ranges(self) -> None:
        for name, low, below in RANGES:
            value = getattr(self, name, low)
            if not low <= value < below:
                upper = f' and below {below:g}' if math.isfinite(below) else ''
                raise UserError(f'{type(self).__name__}.{name} = {value}: it must be at least {low}{upper}.')

    def bind(self, spec: Spec) -> 'BoundSupervised':
        """Returns the task for one dataset, its model built on shapes alone.

        Raises:
          UserError: a number of the task is out of its range.
        """
        self._check_ranges()
        network = Network(lambda rngs: self.build(spec, rngs), self.dtype, self.remat)
        return BoundSupervised(self, spec, network, self.optimizer(learning_rate.checked(self.learning_rate)))


@dataclass(frozen=True)
class BoundSupervised:
    """A supervised task bound to its dataset.

    State: params, model_state, opt_state, steps (int32 []), and ema_params if `ema_decay` is set.
    """

    task: Supervised
    spec: Spec
    network: Network
    optimizer: optax.GradientTransformation

    def init(self, key: jax.Array) -> State:
        """Returns the first state."""
        params, model_state = self.network.init(key)
        state = {
            'params': params,
            'model_state': model_state,
            'opt_state': self.optimizer.init(params),
            'steps': jnp.zeros((), jnp.int32),
        }
        return state | ({'ema_params': params} if self.task.ema_decay else {})

    def update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after one optimizer step on the mean loss, and the metrics of that step."""
        augmentation_key, network_key = jax.random.split(key)
        batch = self.task.augment_batch(batch, augmentation_key)
        grads, metrics, model_state = gradients(
            self._loss,
            state['params'],
            state['model_state'],
            batch,
            network_key,
            self.task.accumulation_steps,
        )
        grads, norm = self._clipped(grads)
        updates, opt_state = self.optimizer.update(grads, state['opt_state'], state['params'])
        params = optax.apply_updates(state['params'], updates)
        steps = state['steps']
        new_state = {
            'params': params,
            'model_state': model_state,
            'opt_state': opt_state,
            'steps': steps + 1,
        }
        return new_state | self._ema(state, params), _averages(metrics) | {
            'learning_rate': average(learning_rate.at_step(self.task.learning_rate, steps)[None]),
            'gradient_norm': average(norm[None]),
        }

    def _loss(
        self, params: State, model_state: State, batch: Batch, key: jax.Array
    ) -> tuple[jax.Array, tuple[dict[str, Any], State]]:
        output, model_state = self.network(params, model_state, self.task.inputs(batch), key=key)
        metrics = self.task.per_example(output, batch)
        return metrics['loss'].mean(), (metrics, model_state)

    def _clipped(self, grads: State) -> tuple[State, jax.Array]:
        """Returns the gradients, no longer than `grad_clip_norm`, and their norm before clipping, f32 []."""
        norm = optax.tree.norm(grads)
        if not self.task.grad_clip_norm:
            return grads, norm
        return jax.tree.map(lambda x: x * jnp.minimum(1, self.task.grad_clip_norm / norm), grads), norm

    def _ema(self, state: State, params: Any) -> State:
        """Returns the part of the new state that holds the moving average, if there is one."""
        decay = self.task.ema_decay
        if not decay:
            return {}
        return {'ema_params': optax.incremental_update(params, state['ema_params'], 1 - decay)}

    def debug_inputs(self, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns what enters the network in the training step with this batch and key; each [B, ...]."""
        return self.task.debug_inputs(self.task.augment_batch(batch, jax.random.split(key)[0]))

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Returns the metrics of a batch, summed over its valid examples."""
        return _averages(self.task.per_example(self._output(state, batch), batch), batch[VALID])

    def predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        """Returns the predictions for a batch, each [B, ...]."""
        return self.task.predictions(self._output(state, batch), batch)

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        description = self.task.describe()
        random = [description.random_per_device, 'masks of Dropout' if self.network.is_random else '']
        return replace(
            description,
            first_loss=self.task.first_loss(self.spec),
            random_per_device=' and '.join(name for name in random if name),
        )

    def _output(self, state: State, batch: Batch) -> Any:
        params = state['ema_params'] if self.task.ema_decay else state['params']
        return self.network(params, state['model_state'], self.task.inputs(batch))[0]


def _averages(metrics: dict[str, Any], valid: jax.Array | None = None) -> Metrics:
    """Returns the sums of per-example metrics over the valid examples."""
    pairs = {name: value if isinstance(value, tuple) else (value, None) for name, value in metrics.items()}
    return {name: average(values, valid, counts) for name, (values, counts) in pairs.items()}
