"""A task that makes its own data from the key: a regression of a sine."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

from engine.interfaces import INDEX, Batch, Description, Spec, keys_by_row
from engine.parts.supervised import Supervised


class Wave(nnx.Module):
    """A multilayer perceptron, f32 [B, 1] to f32 [B, 1]."""

    def __init__(self, *, rngs: nnx.Rngs):
        self.hidden, self.output = nnx.Linear(1, 16, rngs=rngs), nnx.Linear(16, 1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Returns the values."""
        return self.output(nnx.tanh(self.hidden(x)))


@dataclass(frozen=True, kw_only=True)
class SelfMade(Supervised):
    """Learns the sine of random numbers."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model."""
        assert not spec.example
        return self.model(rngs=rngs)

    def augment_batch(self, batch: Batch, key: jax.Array) -> Batch:
        """Returns other numbers in each step."""
        assert batch.keys() == {INDEX, 'step'}
        return {**batch, 'x': _draw(batch, key)}

    def evaluation_batch(self, batch: Batch) -> Batch:
        """Returns the same numbers in each evaluation."""
        return {**batch, 'x': _draw(batch, jax.random.key(0))}

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the numbers."""
        return batch['x']

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the squared error."""
        return {'loss': jnp.square(output - jnp.sin(batch['x'])).sum(1)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the value and the sine."""
        return {'values': output, 'targets': jnp.sin(batch['x']), 'index': batch[INDEX]}

    def describe(self) -> Description:
        """Returns what the outputs manifest says."""
        meanings = {'values': 'values', 'targets': 'the sine', 'index': 'the number of the sample'}
        return Description(kind='regression', predictions=meanings)


def _draw(batch: Batch, key: jax.Array) -> jax.Array:
    return jax.vmap(lambda each: jax.random.uniform(each, (1,), minval=-3, maxval=3))(keys_by_row(key, batch))
