"""Language modelling of bytes: the probability of each byte, given those before it."""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.interfaces import Batch, Description, Spec
from engine.parts.supervised import Supervised

VOCABULARY = 256  # bytes


@dataclass(frozen=True, kw_only=True)
class Language(Supervised):
    """Cross-entropy of the next byte on the fields `text` (uint8 [L], padded with 0) and `length` (int32 []).

    Args:
      model: called with vocabulary, length and rngs; maps tokens int32 [B, L] to logits [B, L, vocabulary].
        The logits at a position depend on the tokens up to that position alone. Token i is byte i - 1 of the
        text; the first token is 0.
    """

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for texts of the dataset's length."""
        spec.require('language modelling', 'text', 'length')
        return self.model(vocabulary=VOCABULARY, length=spec.example['text'].shape[0], rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the tokens, int32 [B, L]: the text shifted by one position."""
        return jnp.pad(batch['text'].astype(jnp.int32), ((0, 0), (1, 0)))[:, :-1]

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        """Returns the loss of each text in nats per byte, f32 [B], and the counts of bits per byte.

        Args:
          output: logits f32 [B, L, 256].
          batch: with `text`, uint8 [B, L], and `length`, int32 [B].
        """
        nats, lengths = -_log_probs(output, batch), batch['length'].astype(jnp.float32)
        return {'loss': nats / jnp.maximum(lengths, 1), 'bits_per_byte': (nats / math.log(2), lengths)}

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the log-probability of each text, in nats, f32 [B], and its length in bytes, int32 [B]."""
        return {'log_probs': _log_probs(output, batch), 'lengths': batch['length'].astype(jnp.int32)}

    def first_loss(self, spec: Spec) -> float:
        """Returns the loss of equal probabilities for all bytes."""
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
    """Returns the log-probability of each text, f32 [B], without its padding."""
    # Not with integer labels: their gradient is a scatter, which XLA compiles and runs slowly.
    nats = optax.softmax_cross_entropy(logits, jax.nn.one_hot(batch['text'], VOCABULARY))
    is_text = jnp.arange(logits.shape[1])[None] < batch['length'][:, None]
    return -jnp.where(is_text, nats, 0).sum(1)
