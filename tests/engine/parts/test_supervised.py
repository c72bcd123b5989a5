"""The hooks of supervised tasks: what evaluation and prediction see."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from engine.errors import UserError
from engine.interfaces import VALID, Batch, Description, Spec, keys_by_row
from engine.parts.supervised import BoundSupervised, Supervised

SPEC = Spec({'x': jax.ShapeDtypeStruct((3,), jnp.float32)})


@dataclass(frozen=True, kw_only=True)
class Denoising(Supervised):
    """Restores `x` from a noisy copy, in evaluation too."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        return self.model(rngs=rngs)

    def augment_batch(self, batch: Batch, key: jax.Array) -> Batch:
        noise = jax.vmap(lambda key: jax.random.normal(key, (3,)))(keys_by_row(key, batch))
        return {**batch, 'noisy': batch['x'] + noise}

    def evaluation_batch(self, batch: Batch) -> Batch:
        return self.augment_batch(batch, jax.random.key(0))

    def inputs(self, batch: Batch) -> jax.Array:
        return batch['noisy']

    def per_example(self, output: Any, batch: Batch) -> dict[str, jax.Array]:
        return {'loss': jnp.square(output['restored'] - batch['x']).sum(-1)}

    def describe(self) -> Description:
        return Description('regression', {'restored': 'the input without noise'})


class Doubled(nnx.Module):
    """Returns twice its input, in a dict."""

    def __init__(self, rngs: nnx.Rngs):
        self.factor = nnx.Param(jnp.full((1, 1), 2.0))

    def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
        return {'restored': self.factor[...] * x}


class Bare(Doubled):
    """Returns an array instead of a dict."""

    def __call__(self, x: jax.Array) -> Any:
        return super().__call__(x)['restored']


def bound(model: Any = Doubled) -> tuple[BoundSupervised, dict[str, Any]]:
    task = Denoising(model=model, optimizer=optax.sgd, learning_rate=0.1).bind(SPEC)
    return task, task.init_training(*task.init_model(jax.random.key(0)))


def batch(rows: list[int]) -> Batch:
    index = jnp.array(rows, jnp.int32)
    x = jnp.arange(30, dtype=jnp.float32).reshape(10, 3)[index]
    return {'x': x, 'index': index, VALID: jnp.ones(len(rows), bool)}


def noise(row: int) -> jax.Array:
    return jax.random.normal(jax.random.fold_in(jax.random.key(0), row), (3,))


def test_evaluation_and_prediction_see_the_batch_that_a_task_prepares() -> None:
    task, state = bound()
    x = batch([4])['x'][0]
    loss = task.evaluate(state, batch([4]))['loss']
    np.testing.assert_allclose(loss.compute(), jnp.square(2 * (x + noise(4)) - x).sum(), rtol=1e-6)
    restored = task.predict(state, batch([7, 4]))['restored']
    np.testing.assert_allclose(restored[1], 2 * (x + noise(4)), rtol=1e-6)


def test_training_sees_another_batch() -> None:
    task, state = bound()
    losses = [task.update(state, batch([4]), jax.random.key(seed))[1]['loss'].compute() for seed in (1, 2)]
    assert len({*map(float, losses), float(task.evaluate(state, batch([4]))['loss'].compute())}) == 3


def test_a_task_saves_the_dict_that_its_model_returns() -> None:
    task, state = bound()
    assert task.predict(state, batch([1, 2]))['restored'].shape == (2, 3)


def test_a_task_that_does_not_say_what_to_save_is_refused() -> None:
    task, state = bound(Bare)
    with pytest.raises(UserError, match='Denoising must define `predictions` or `predict`'):
        task.predict(state, batch([1]))
