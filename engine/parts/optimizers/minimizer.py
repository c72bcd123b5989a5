"""A training step of an optimizer: gradients, clipping, accumulation, frozen parameters, moving average."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import optax

from engine import gradients
from engine.errors import UserError
from engine.gradients import LossFunction
from engine.interfaces import Metrics, State, average
from engine.parts.optimizers import learning_rate
from engine.parts.optimizers.evaluated import has_average, rate_factor
from engine.parts.optimizers.extra_arguments import OptimizerFactory, make_optimizer
from engine.parts.optimizers.learning_rate import LearningRate
from engine.variables import by_path, joined, separated

Grads = Any


@dataclass(frozen=True)
class Minimizer:
    """An optimizer with its learning rate, clipping, accumulation, frozen parameters and moving average.

    A state is a dict with the entries `params`, `model_state`, `opt_state` and, if `ema_decay` is not 0,
    `ema_params`. `opt_state` and `ema_params` leave out frozen parameters.

    The optimizer may ask for more than gradients, as `optax.lbfgs`, `optax.contrib.reduce_on_plateau` and
    `optax.contrib.sam` do: `value` is the mean loss, f32 []; `grad`, the gradients; `value_fn`, parameters ->
    mean loss of this batch; `grad_fn`, (parameters, number) -> gradients of this batch. All of them use the
    same random key.

    Args:
      factory: makes the optimizer from the learning rate.
      learning_rate: a number, a schedule (step -> number), or None.
      frozen: paths of the variables that do not change.
      grad_clip_norm: largest norm of the gradients; longer ones are scaled down to it. 0 turns clipping off.
        Pascanu et al. 2013, https://arxiv.org/abs/1211.5063.
      accumulation_steps: number of micro-batches whose gradients are accumulated.
      ema_decay: decay per step of the exponential moving average of the parameters; 0 keeps none.
    """

    factory: OptimizerFactory
    learning_rate: LearningRate
    frozen: frozenset[str] = frozenset()
    grad_clip_norm: float = 0.0
    accumulation_steps: int = 1
    ema_decay: float = 0.0

    def __post_init__(self) -> None:
        """Makes the optimizer. Raises `UserError` if the learning rate gives no number."""
        self.optimizer  # noqa: B018 (mistakes show here, not in a trace)

    @cached_property
    def optimizer(self) -> optax.GradientTransformationExtraArgs:
        """The optimizer of the parameters that are not frozen."""
        return make_optimizer(self.factory, learning_rate.checked(self.learning_rate))

    def init(self, params: State, model_state: State) -> State:
        """Returns the first state. Average and optimizer begin from the parameters.

        Raises:
          UserError: the optimizer keeps an average of the parameters, and `ema_decay` asks for another one.
        """
        _, trained = separated(params, self.frozen)
        opt_state = self.optimizer.init(trained)
        if self.ema_decay and has_average(opt_state):
            raise UserError(
                f'ema_decay = {self.ema_decay}: the optimizer averages the parameters already. Set ema_decay '
                'to 0, or take another optimizer.'
            )
        average = {'ema_params': trained} if self.ema_decay else {}
        return {'params': params, 'model_state': model_state, 'opt_state': opt_state} | average

    def step(
        self, loss: LossFunction, state: State, batch: Any, key: jax.Array
    ) -> tuple[State, Any, jax.Array]:
        """Takes one step on the mean loss over the whole batch, however many devices share it.

        Args:
          loss: of all parameters, as `gradients.gradients` takes it.
          state: as `init` returns it; other entries are not part of the new state.
          batch: tree of arrays [B, ...].
          key: random key of the step.

        Returns:
          The new state, the metrics of each example, and the norm of the gradients before clipping, f32 [].
        """
        frozen, trained = separated(state['params'], self.frozen)

        def trained_loss(params: State, *arguments: Any) -> tuple[jax.Array, tuple[Any, State]]:
            return loss(joined(frozen, params) if frozen else params, *arguments)

        def value_fn(params: State, grad_fn: Any = None) -> jax.Array:
            del grad_fn  # line searches of Optax pass on all their arguments
            return gradients.value(trained_loss, params, *others)

        def grad_fn(params: State, _: Any = None) -> Grads:
            return self._clipped(gradients.gradients(trained_loss, params, *others)[0])[0]

        others = state['model_state'], batch, key, self.accumulation_steps
        value, grads, metrics, model_state = gradients.value_and_gradients(trained_loss, trained, *others)
        grads, norm = self._clipped(grads)
        updates, opt_state = self.optimizer.update(
            grads,
            state['opt_state'],
            trained,
            value=value,
            grad=grads,
            value_fn=value_fn,
            grad_fn=grad_fn,
        )
        params: Any = optax.apply_updates(trained, updates)
        new_state = {
            'params': joined(frozen, params) if frozen else params,
            'model_state': model_state,
            'opt_state': opt_state,
        }
        return new_state | self._average(state, params), metrics, norm

    def _clipped(self, grads: Grads) -> tuple[Grads, jax.Array]:
        """Returns the gradients, no longer than `grad_clip_norm`, and their norm before clipping, f32 []."""
        norm = optax.tree.norm(grads)
        if not self.grad_clip_norm:
            return grads, norm
        return jax.tree.map(lambda x: x * jnp.minimum(1, self.grad_clip_norm / norm), grads), norm

    def _average(self, state: State, params: Any) -> State:
        """Returns the part of the new state that holds the moving average, if there is one."""
        if not self.ema_decay:
            return {}
        return {'ema_params': optax.incremental_update(params, state['ema_params'], 1 - self.ema_decay)}

    def rate_metric(self, opt_state: Any, steps: jax.Array, name: str = 'learning_rate') -> Metrics:
        """Returns the learning rate after `steps` steps, int32 [], as a metric; {} if there is none."""
        if self.learning_rate is None:
            return {}
        rate = learning_rate.at_step(self.learning_rate, steps) * rate_factor(opt_state)
        return {name: average(rate[None])}

    def parameter_groups(self, params: Any) -> dict[str, str]:
        """Returns in words how each parameter is treated, by its path: 'frozen', or by which optimizer."""
        _, trained = separated(params, self.frozen)
        describe = getattr(self.factory, 'describe', None)
        words = describe(trained) if describe else dict.fromkeys(by_path(trained), 'trained')
        return {path: words.get(path, 'frozen') for path in by_path(params)}
