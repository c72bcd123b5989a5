"""Language modelling of bytes: each one from those before it."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.errors import UserError
from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised

VOCABULARY = 256  # bytes


@dataclass(frozen=True, kw_only=True)
class Language(Supervised):
    """Cross-entropy of the next byte on the fields `text` (uint8 [L], padded with 0) and `length` (int32 []).

    Args:
      model: called with vocabulary, length and rngs; maps tokens int32 [B, L] to logits
        [B, L, vocabulary], at each place from the tokens up to there. Token i is byte
        i - 1 of the text; the first one is 0.
    """

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for texts of a dataset's length."""
        missing = {'text', 'length'} - spec.example.keys()
        if missing:
            fields = ', '.join(spec.example)
            raise UserError(
                f'language modelling needs the field {missing.pop()!r}; the dataset has: {fields}.'
            )
        return self.model(vocabulary=VOCABULARY, length=spec.example['text'].shape[0], rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the text moved on by one place, int32 [B, L]."""
        return jnp.pad(batch['text'].astype(jnp.int32), ((0, 0), (1, 0)))[:, :-1]

    def measure(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        """Returns loss in nats per byte, f32 [B], and bits per byte of all texts, for logits [B, L, 256]."""
        nats, lengths = -_log_probs(output, batch), batch['length'].astype(jnp.float32)
        return {'loss': nats / jnp.maximum(lengths, 1), 'bits_per_byte': (nats / math.log(2), lengths)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the log-probability of each text, in nats, f32 [B], and its length in bytes, int32 [B]."""
        return {'log_probs': _log_probs(output, batch), 'lengths': batch['length'].astype(jnp.int32)}

    def first_loss(self, spec: Spec) -> float:
        """Returns that of the same probability for every byte."""
        return math.log(VOCABULARY)

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        return Description(
            kind='language',
            predictions={
                'log_probs': 'natural logarithm of the probability of the text',
                'lengths': 'bytes of the text',
            },
        )


def _log_probs(logits: jax.Array, batch: Batch) -> jax.Array:
    """Returns the log-probability of each text, f32 [B]; padding counts for nothing."""
    # Not with integer labels: the gradient of that is a scatter, which XLA compiles and runs slowly.
    nats = optax.softmax_cross_entropy(logits, jax.nn.one_hot(batch['text'], VOCABULARY))
    there = jnp.arange(logits.shape[1])[None] < batch['length'][:, None]
    return -jnp.where(there, nats, 0).sum(1)
