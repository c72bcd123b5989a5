"""Language modelling: the probability of each token, given those before it."""

import math
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from engine.datasets.text.options import BYTES
from engine.datasets.text.vocabulary import Vocabulary
from engine.interfaces import Batch, Description, Spec
from engine.parts.language.prediction import check, described, sampled
from engine.parts.language.sampling import Sampling
from engine.parts.language.texts import Texts
from engine.parts.supervised import BoundSupervised, Model, Supervised


@dataclass(frozen=True, kw_only=True)
class Language(Supervised):
    """Cross-entropy of the next token on the fields `text` (tokens [L], padded) and `length` (int32 []).

    A dataset states its vocabulary and how many tokens at the start of a text are given, in
    `Spec.notes['vocabulary']` and `['given_tokens']`; without them, tokens are bytes, and all are predicted.
    A field `given` (int32 []) states for each example how many are given, such as those of a question.

    Args:
      model: called with vocabulary (the number of tokens), length and rngs; maps tokens int32 [B, L] to
        logits [B, L, vocabulary]. The logits at a position depend on the tokens up to that position alone, so
        padding after a text changes none of them.
      sampling: how texts are sampled at prediction. Without it, the probability of each text is predicted.
    """

    sampling: Sampling | None = None
    texts: Texts = field(init=False, repr=False, compare=False, default=Texts(Vocabulary.of({})))

    def bind(self, spec: Spec) -> BoundSupervised:
        """Returns the task for one dataset, its model built on shapes alone.

        Raises:
          UserError: the dataset has no texts, or the sampling does not fit them.
        """
        task, texts = copy(self), Texts.of(spec)
        object.__setattr__(task, 'texts', texts)
        if self.sampling:
            check(self.sampling, texts)
        return super(Language, task).bind(spec)

    def build(self, spec: Spec, rngs: nnx.Rngs) -> nnx.Module:
        """Returns the model for texts of the dataset's length."""
        spec.require('language modelling', 'text', 'length')
        length = spec.example['text'].shape[0] - min(self.texts.given, 1)
        return self.model(vocabulary=self.texts.vocabulary.size, length=length, rngs=rngs)

    def inputs(self, batch: Batch) -> jax.Array:
        """Returns the tokens, int32 [B, L]: each one is followed by the token to predict."""
        return self.texts.inputs(batch['text'])

    def per_example(self, output: jax.Array, batch: Batch) -> dict[str, Any]:
        """Returns the loss of each text in nats per token, f32 [B], and the counts of further means.

        `bits_per_byte` compares models of any vocabulary; `nats_per_token` is the mean over the tokens of all
        texts, unless tokens are bytes.

        Args:
          output: logits f32 [B, L, vocabulary].
          batch: with `text`, whole numbers [B, L], and `length`, int32 [B].
        """
        nats, tokens = -self._log_probs(output, batch), self._counts(batch, 1)
        metrics: dict[str, Any] = {'loss': nats / jnp.maximum(tokens, 1)}
        if self._is_bytes:
            return metrics | {'bits_per_byte': (nats / math.log(2), tokens)}
        bits = nats / math.log(2), self._counts(batch, self.texts.vocabulary.byte_counts())
        return metrics | {'bits_per_byte': bits, 'nats_per_token': (nats, tokens)}

    def predict(self, model: Model, batch: Batch) -> dict[str, jax.Array]:
        """Returns sampled texts as tokens, [B, tokens], and their counts, if `sampling` is bound."""
        if self.sampling is None:
            return super().predict(model, batch)
        return sampled(model, batch, self.texts, self.sampling)

    def predictions(self, output: jax.Array, batch: Batch) -> dict[str, jax.Array]:
        """Returns the log-probability of each text, in nats, f32 [B], and its length, int32 [B].

        `lengths` counts bytes, `tokens` tokens, unless these are bytes. Neither counts what is given.
        """
        lengths = self._counts(batch, self.texts.vocabulary.byte_counts())
        counts = {'lengths': lengths} | ({} if self._is_bytes else {'tokens': self._counts(batch, 1)})
        counts = {name: count.astype(jnp.int32) for name, count in counts.items()}
        return {'log_probs': self._log_probs(output, batch), **counts}

    def first_loss(self, spec: Spec) -> float:
        """Returns the loss of equal probabilities for all tokens."""
        return math.log(self.texts.vocabulary.size)

    def describe(self) -> Description:
        """Returns what the outputs manifest says of the predictions."""
        vocabulary = self.texts.vocabulary
        details = {'vocabulary': f'{vocabulary.kind} {vocabulary.sha256}'}
        if self.sampling:
            return described(self.texts, details)
        tokens = {} if self._is_bytes else {'tokens': 'predicted tokens of the text'}
        return Description(
            kind='language',
            predictions={
                'log_probs': 'natural logarithm of the probability of the text',
                'lengths': 'bytes of the text',
                **tokens,
            },
            details=details,
        )

    @property
    def _is_bytes(self) -> bool:
        return self.texts.vocabulary.kind == BYTES

    def _log_probs(self, logits: jax.Array, batch: Batch) -> jax.Array:
        """Returns the log-probability of what is predicted of each text, f32 [B]."""
        # Not with integer labels: their gradient is a scatter, which XLA compiles and runs slowly.
        targets = jax.nn.one_hot(self.texts.targets(batch['text']), self.texts.vocabulary.size)
        nats = optax.softmax_cross_entropy(logits, targets)
        return -jnp.where(self.texts.is_predicted(batch), nats, 0).sum(1)

    def _counts(self, batch: Batch, weights: Any) -> jax.Array:
        """Returns the number of predicted tokens of each text, f32 [B], each with its weight.

        Args:
          batch: the batch.
          weights: of each token of the vocabulary, [vocabulary], or 1.
        """
        counts = self.texts.is_predicted(batch)
        if isinstance(weights, int):
            return counts.sum(1).astype(jnp.float32)
        found = jnp.asarray(weights)[self.texts.targets(batch['text']).astype(jnp.int32)]
        return jnp.where(counts, found, 0).sum(1).astype(jnp.float32)
