"""Supervised learning: one network, one optimizer, one loss for each example. Other tasks derive from it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from engine.errors import UserError
from engine.interfaces import VALID, Batch, Description, Metrics, Spec, State, average
from engine.network import Network
from engine.parts.optimizers.evaluated import evaluation_params
from engine.parts.optimizers.extra_arguments import OptimizerFactory
from engine.parts.optimizers.learning_rate import LearningRate
from engine.parts.optimizers.minimizer import Minimizer
from engine.parts.subclasses import input_augmentation, ranges, returned, rows

Model = Callable[..., Any]  # (input, method='__call__') -> output, in evaluation mode


@dataclass(frozen=True, kw_only=True)
class Supervised(ABC):
    """What every supervised task has, and the hooks that a subclass overrides (in docs/tasks.md).

    Args:
      model: makes the model; the task calls it with what the dataset implies.
      optimizer: makes the optimizer from a learning rate, as `optax.adamw` does.
      learning_rate: a number, a schedule (step -> number), or None: the optimizer is made without one, as
        `optax.lbfgs` can be.
      frozen: patterns of variables that stay as they are, such as '^encoder/': regular expressions, searched
        in paths such as 'encoder/stages/0/kernel'. A module whose variables are all frozen runs in evaluation
        mode, its Dropout too. Frozen parameters have no gradient, no average and no optimizer state.
      grad_clip_norm: largest norm of the gradient; longer gradients are scaled down to it. 0 turns clipping
        off. Pascanu et al. 2013, https://arxiv.org/abs/1211.5063.
      ema_decay: decay per step of the exponential moving average (EMA) of the parameters. Evaluation and
        prediction use the average. 0 turns it off. Polyak and Juditsky 1992.
      accumulation_steps: number of micro-batches whose gradients are accumulated, to save memory.
      dtype: dtype of the network's computation; parameters and statistics stay float32.
      remat: recompute activations in the backward pass instead of storing them, to save memory.
    """

    model: Callable[..., nnx.Module]
    optimizer: OptimizerFactory
    learning_rate: LearningRate
    frozen: tuple[str, ...] = ()
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

    def augment_inputs(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns the batch as `predict.sh --augmentations` predicts it: under one random augmentation.

        By default it is that of training. Override it if `augment_batch` mixes examples or moves targets.
        """
        return self.augment_batch(batch, key)

    def evaluation_batch(self, batch: Batch) -> Batch:
        """Returns the batch as evaluation and prediction see it; unchanged by default.

        What is random there, such as noise, comes from `keys_by_row(jax.random.key(0), batch)`.
        """
        return batch

    @abstractmethod
    def inputs(self, batch: Batch) -> Any:
        """Returns the network's input: an array [B, ...], or a dict of several."""

    def debug_inputs(self, batch: Batch) -> dict[str, jax.Array]:
        """Returns the arrays [B, ...] to look at before training; the network's inputs by default."""
        inputs = self.inputs(batch)
        return dict(inputs) if isinstance(inputs, Mapping) else {'inputs': inputs}

    @abstractmethod
    def per_example(self, output: Any, batch: Batch) -> dict[str, Any]:
        """Returns the metrics of each example, among them 'loss', whose mean is minimised.

        Each is f32 [B], or a pair of values and counts, as `interfaces.average` takes them.
        """

    def predictions(self, output: Any, batch: Batch) -> dict[str, jax.Array]:
        """Returns the arrays to save of the network's output, each [B, ...]; by default the output itself."""
        if not isinstance(output, Mapping):
            raise UserError(f'{type(self).__name__} must define `predictions` or `predict`: what to save.')
        return dict(output)

    def predict(self, model: Model, batch: Batch) -> dict[str, jax.Array]:
        """Returns the arrays to save of a batch, each [B, ...]. Override it to call the model several times.

        Args:
          model: the network in evaluation mode, (input, method='__call__') -> output.
          batch: arrays [B, ...].
        """
        return self.predictions(model(self.inputs(batch)), batch)

    def pictures(self, model: Model, spec: Spec, key: jax.Array) -> dict[str, jax.Array]:
        """Returns pictures that show the progress of the training, such as samples; none by default.

        Returns:
          By name, uint8 or f32 between -1 and 1, [N, H, W, 1 or 3]. `key` is the same at all steps.
        """
        del model, spec, key
        return {}

    def evaluation_params(self, state: State) -> State:
        """Returns the parameters for evaluation, prediction and pictures: their average, if there is one."""
        return evaluation_params(state)

    @abstractmethod
    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""

    def first_loss(self, spec: Spec) -> float | None:
        """Returns the expected loss before training, that of guessing; None if it is unknown."""
        del spec

    def bind(self, spec: Spec) -> 'BoundSupervised':
        """Returns the task for one dataset, its model built on shapes alone.

        Raises:
          UserError: a number of the task is out of its range, or a pattern of `frozen` matches nothing.
        """
        ranges.check(self)
        network = Network(lambda rngs: self.build(spec, rngs), self.dtype, self.remat, self.frozen)
        minimizer = Minimizer(
            self.optimizer,
            self.learning_rate,
            network.frozen,
            self.grad_clip_norm,
            self.accumulation_steps,
            self.ema_decay,
        )
        return BoundSupervised(self, spec, network, minimizer)


@dataclass(frozen=True)
class BoundSupervised:
    """A supervised task bound to its dataset.

    Hooks see batches with one more field, `step`, int32 [B]: the number of training steps so far.

    State: params, model_state, opt_state, steps (int32 []), and ema_params if `ema_decay` is set. `opt_state`
    and `ema_params` leave out frozen parameters.
    """

    task: Supervised
    spec: Spec
    network: Network
    minimizer: Minimizer

    def init_model(self, key: jax.Array) -> tuple[State, State]:
        """Returns the first parameters and model state."""
        return self.network.init(key)

    def init_training(self, params: State, model_state: State) -> State:
        """Returns the first state, in which average and optimizer begin from the parameters."""
        return self.minimizer.init(params, model_state) | {'steps': jnp.zeros((), jnp.int32)}

    def update(self, state: State, batch: Batch, key: jax.Array) -> tuple[State, Metrics]:
        """Returns the state after one optimizer step on the mean loss, and the metrics of that step."""
        augmentation_key, network_key = jax.random.split(key)
        batch = self._augmented(rows.at_step(batch, state['steps']), augmentation_key)
        new_state, examples, norm = self.minimizer.step(self._loss, state, batch, network_key)
        metrics = rows.averages(examples) | self.minimizer.rate_metric(new_state['opt_state'], state['steps'])
        metrics['gradient_norm'] = average(norm[None])
        return new_state | {'steps': state['steps'] + 1}, metrics

    def _loss(
        self, params: State, model_state: State, batch: Batch, key: jax.Array
    ) -> tuple[jax.Array, tuple[dict[str, Any], State]]:
        output, model_state = self.network(params, model_state, self.task.inputs(batch), key=key)
        metrics = self._per_example(output, batch)
        return metrics['loss'].mean(), (metrics, model_state)

    def _augmented(self, batch: Batch, key: jax.Array) -> Batch:
        return returned.batch(self.task, 'augment_batch', self.task.augment_batch(batch, key), batch)

    def _evaluated(self, batch: Batch, state: State) -> Batch:
        batch = rows.at_step(batch, state['steps'])
        return returned.batch(self.task, 'evaluation_batch', self.task.evaluation_batch(batch), batch)

    def _per_example(self, output: Any, batch: Batch) -> dict[str, Any]:
        return returned.metrics(self.task, self.task.per_example(output, batch), rows.count(batch))

    def debug_inputs(self, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns what enters the network in a first step with this batch and key; each [B, ...]."""
        batch = rows.at_step(batch, jnp.zeros((), jnp.int32))
        return self.task.debug_inputs(self._augmented(batch, jax.random.split(key)[0]))

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Returns the metrics of a batch, summed over its valid examples."""
        batch = self._evaluated(batch, state)
        output = self._model(state)(self.task.inputs(batch))
        return rows.averages(self._per_example(output, batch), batch[VALID])

    def predict(self, state: State, batch: Batch) -> dict[str, jax.Array]:
        """Returns the predictions for a batch, each [B, ...]."""
        batch = self._evaluated(batch, state)
        return self.task.predict(self._model(state), batch)

    def predict_augmented(self, state: State, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Returns the predictions for a batch under a random augmentation, in place of `evaluation_batch`."""
        augmented = input_augmentation.augmented(self.task, rows.at_step(batch, state['steps']), key)
        return self.task.predict(self._model(state), augmented)

    def pictures(self, state: State, key: jax.Array) -> dict[str, jax.Array]:
        """Returns pictures by name, [N, H, W, C]; {} if the task makes none."""
        return self.task.pictures(self._model(state), self.spec, key)

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        description = returned.description(self.task, self.task.describe())
        random = [description.random_per_device, 'masks of Dropout' if self.network.is_random else '']
        return replace(
            description,
            first_loss=self.task.first_loss(self.spec),
            random_per_device=' and '.join(name for name in random if name),
        )

    def parameter_groups(self) -> dict[str, str]:
        """Returns in words how each parameter is treated, by its path: 'frozen', or by which optimizer."""
        return self.minimizer.parameter_groups(self.network.variables[0])

    def evaluation_model(self, state: State) -> nnx.Module:
        """Returns the Flax model in evaluation mode, with the parameters to evaluate."""
        return self.network.module(self._params(state), state['model_state'])

    def _model(self, state: State) -> Model:
        """Returns the network in evaluation mode, as a function."""
        params, model_state = self._params(state), state['model_state']
        return lambda x, method='__call__': self.network(params, model_state, x, method=method)[0]

    def _params(self, state: State) -> State:
        """Returns the parameters to evaluate."""
        return returned.params(self.task, self.task.evaluation_params(state), self.network.variables[0])
