"""The reference of the template's training: a jitted step and a loop, written by hand.

The loop has the model and the optimizer of the config and nothing else: its batches are already on the
device, it logs nothing, and it waits only after the last step of an interval.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from engine.training.cost.flops import flops_per_step

BATCHES = 4  # different ones, in turn

Loss = Callable[[Any, Any, Any], jax.Array]  # (model, inputs, targets) -> mean loss


def image_loss(scale: Callable[[jax.Array], jax.Array], model: Any, images: Any, labels: Any) -> jax.Array:
    """Returns the mean cross-entropy of images uint8 [B, H, W, 3] and labels int32 [B]."""
    logits = model(scale(images)).astype(jnp.float32)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def text_loss(model: Any, tokens: Any, targets: Any) -> jax.Array:
    """Returns the mean cross-entropy of the next token, for tokens and targets int32 [B, L]."""
    logits = model(tokens).astype(jnp.float32)
    return optax.softmax_cross_entropy(logits, jax.nn.one_hot(targets, logits.shape[-1])).mean()


class BareLoop:
    """A training loop by hand.

    Args:
      make: makes the model from its random streams.
      optimizer: the optimizer.
      loss: of a model and a batch.
      batches: (inputs, targets), on the host.
    """

    def __init__(
        self,
        make: Callable[[nnx.Rngs], Any],
        optimizer: optax.GradientTransformation,
        loss: Loss,
        batches: list[tuple[np.ndarray, np.ndarray]],
    ):
        self._batches, self._steps = jax.device_put(batches), 0
        graph = _split(nnx.eval_shape(lambda: make(nnx.Rngs(0))))[0]

        @jax.jit  # layer by layer, without it, initialisation would compile hundreds of programs
        def init() -> Any:
            _, params, random, model_state = _split(make(nnx.Rngs(0)))
            return params, random, model_state, optimizer.init(params)

        @partial(jax.jit, donate_argnums=0)
        def step(state: Any, inputs: Any, targets: Any) -> Any:
            params, random, model_state, opt_state = state

            def objective(params: Any) -> tuple[jax.Array, Any]:
                model = nnx.merge(graph, params, random, model_state, copy=True)
                value = loss(model, inputs, targets)
                return value, _split(model)[2:]

            (value, (new_random, new_state)), grads = jax.value_and_grad(objective, has_aux=True)(params)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optax.apply_updates(params, updates), new_random, new_state, opt_state), value

        self._state = init()
        start = time.perf_counter()
        self._lowered = step.lower(self._state, *self._batches[0])
        self.compiled = self._lowered.compile()
        self.compile_seconds = time.perf_counter() - start

    def run(self, steps: int) -> float:
        """Runs some steps; returns the time of one, seconds."""
        start, losses = time.perf_counter(), []
        for _ in range(steps):
            batch = self._batches[self._steps % len(self._batches)]
            self._state, loss = self.compiled(self._state, *batch)
            losses.append(loss)
            self._steps += 1
        jax.block_until_ready((self._state, losses))
        seconds = (time.perf_counter() - start) / steps
        if not np.isfinite(losses).all():
            raise FloatingPointError(f'the loss is not finite at step {self._steps} or before')
        return seconds

    @property
    def flops(self) -> float:
        """The operations of a step: those that XLA counts, and attention by formula."""
        return flops_per_step(self._lowered).total


def _split(model: Any) -> Any:
    """Returns graph, parameters, random state and model state of a model in training mode."""
    model.train()
    return nnx.split(model, nnx.Param, nnx.RngState, ...)
