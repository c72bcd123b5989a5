"""The gradients of a loss over the whole batch: the same code on one device and on many."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from engine.errors import UserError
from engine.hardware import targets
from engine.interfaces import State, across_devices

# (params, model state, batch, key) -> (mean loss, (metrics of each example, new model state))
LossFunction = Callable[[State, State, Any, jax.Array], tuple[jax.Array, tuple[Any, State]]]


def gradients(
    loss: LossFunction,
    params: State,
    model_state: State,
    batch: Any,
    key: jax.Array,
    accumulation_steps: int = 1,
) -> tuple[State, Any, State]:
    """Returns the gradients of the mean loss over the whole batch, however many devices share it.

    >>> def loss(params, model_state, batch, key):
    ...     errors = jnp.square(batch['x'] * params['w'] - batch['y'])
    ...     return errors.mean(), ({'loss': errors}, model_state)
    >>> batch = {'x': jnp.array([1.0, 2.0]), 'y': jnp.array([0.0, 0.0])}
    >>> grads, metrics, model_state = gradients(loss, {'w': jnp.array(1.0)}, {}, batch, jax.random.key(0))
    >>> float(grads['w']), metrics['loss'].tolist()
    (5.0, [1.0, 4.0])

    Args:
      loss: (params, model_state, batch, key) -> (mean loss of the batch, (metrics of each example, model
        state)).
      params: parameters to differentiate by.
      model_state: model state before the step; each micro-batch passes it on to the next.
      batch: tree of arrays [B, ...].
      key: random key of the step.
      accumulation_steps: number of micro-batches whose gradients are accumulated, to save memory. Where the
        loss of an example depends on that example alone, the result is the gradient of the whole batch.

    Returns:
      The gradients, shaped like `params`; the metrics of each example, [B, ...]; the new model state.

    Raises:
      UserError: the batch does not split into that many micro-batches.
    """
    _, grads, metrics, model_state = value_and_gradients(
        loss, params, model_state, batch, key, accumulation_steps
    )
    return grads, metrics, model_state


def value_and_gradients(
    loss: LossFunction,
    params: State,
    model_state: State,
    batch: Any,
    key: jax.Array,
    accumulation_steps: int = 1,
) -> tuple[jax.Array, State, Any, State]:
    """Returns the mean loss over the whole batch, f32 [], and then all that `gradients` returns."""
    gradient = jax.value_and_grad(loss, has_aux=True)

    def both(*arguments: Any) -> tuple[Any, Any]:
        (value, aux), grads = gradient(*arguments)
        return (value, grads), aux

    zero = jnp.zeros(()), jax.tree.map(jnp.zeros_like, params)
    means, metrics, model_state = _mean(both, zero, params, model_state, batch, key, accumulation_steps)
    value, grads = across_devices(means)
    return value, grads, metrics, model_state


def value(
    loss: LossFunction,
    params: State,
    model_state: State,
    batch: Any,
    key: jax.Array,
    accumulation_steps: int = 1,
) -> jax.Array:
    """Returns the mean loss over the whole batch, f32 [], for the arguments of `gradients`.

    Its derivative is also that of the whole batch. With `across_devices` alone, each device would get the
    derivative of its own rows, and the line searches of the devices would diverge.
    """
    others = model_state, batch, key, accumulation_steps

    @jax.custom_jvp
    def whole(params: State) -> jax.Array:
        return across_devices(_mean(loss, jnp.zeros(()), params, *others)[0])

    @whole.defjvp
    def _(primals: tuple[State], tangents: tuple[State]) -> tuple[jax.Array, jax.Array]:
        mean, grads, *_ = value_and_gradients(loss, *primals, *others)
        return mean, jnp.asarray(optax.tree.vdot(grads, *tangents))

    return whole(params)


def _mean(
    function: Callable[..., Any],
    zero: Any,
    params: State,
    model_state: State,
    batch: Any,
    key: jax.Array,
    steps: int,
) -> tuple[Any, Any, State]:
    """Returns means over micro-batches, metrics [B, ...], and the model state after them.

    Args:
      function: (params, model state, micro-batch, key) -> (means, (metrics of each example, model state)).
      zero: zeros, shaped like the means.
      params: the parameters.
      model_state: the model state before the first micro-batch.
      batch: tree of arrays [B, ...].
      key: random key of the step.
      steps: number of micro-batches.
    """
    if steps == 1:
        means, (metrics, model_state) = function(params, model_state, batch, key)
        return means, metrics, model_state

    def add(carry: tuple[Any, State], step: tuple[Any, jax.Array]) -> tuple[tuple[Any, State], Any]:
        (total, model_state), (micro_batch, index) = carry, step
        step_key = jax.random.fold_in(key, index)
        means, (metrics, model_state) = function(params, model_state, micro_batch, step_key)
        return (jax.tree.map(jnp.add, total, means), model_state), metrics

    micro_batches = (_micro_batches(batch, steps), jnp.arange(steps))
    unroll = targets.platform() == 'cpu'  # XLA's loops run their bodies on one thread of a CPU
    (total, model_state), metrics = jax.lax.scan(add, (zero, model_state), micro_batches, unroll=unroll)
    metrics = jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(-1, *x.shape[2:]), metrics)
    return jax.tree.map(lambda x: x / steps, total), metrics, model_state


def _micro_batches(batch: Any, steps: int) -> Any:
    """Returns a batch of arrays [B, ...] as arrays [steps, B / steps, ...].

    Micro-batch i holds the rows i, i + steps, ...: every device has as many of each, so no row moves between
    devices. A further part of the batch may have several rows for each of these: they stay together.
    """
    rows = min(map(len, jax.tree.leaves(batch)))
    if steps < 1 or rows % steps:
        raise UserError(f'accumulation_steps = {steps} does not divide a batch of {rows} examples.')

    def divided(x: jax.Array) -> jax.Array:
        groups = x.reshape(rows // steps, steps, len(x) // rows, *x.shape[1:]).swapaxes(0, 1)
        return groups.reshape(steps, len(x) // steps, *x.shape[1:])

    return jax.tree.map(divided, batch)
