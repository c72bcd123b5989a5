"""A task that predicts texts, as small as one can be: each byte from itself."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised


class ByteModel(nnx.Module):
    """Logits of a byte for each byte."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(256, 8, rngs=rngs)
        self.logits = nnx.Linear(8, 256, rngs=rngs)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        return self.logits(self.embed(tokens))


@dataclass(frozen=True, kw_only=True)
class Echo(Supervised):
    """Predicts the text that it was given."""

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        spec.require('an echo', 'text', 'length')
        return self.model(rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        return batch['text'].astype(jnp.int32)

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        nats = optax.softmax_cross_entropy_with_integer_labels(output, batch['text'].astype(jnp.int32))
        counts = jnp.arange(nats.shape[1])[None] < batch['length'][:, None]
        return {'loss': jnp.where(counts, nats, 0).sum(1) / batch['length'].astype(jnp.float32)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        return {'text_tokens': jnp.argmax(output, -1).astype(jnp.int32), 'text_counts': batch['length']}

    def describe(self) -> Description:
        return Description(
            kind='texts',
            predictions={'text_tokens': 'most probable bytes', 'text_counts': 'number of bytes'},
            truth={'reference_tokens': 'text', 'reference_counts': 'length'},
        )
