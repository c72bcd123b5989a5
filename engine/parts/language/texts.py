"""What a dataset states of its texts: the vocabulary, and which tokens are given or predicted."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from engine.datasets.text.vocabulary import Vocabulary
from engine.interfaces import Batch, Spec

GIVEN = 'given'  # an optional field: how many tokens of an example are given


@dataclass(frozen=True)
class Texts:
    """What a dataset states of its texts.

    Attributes:
      vocabulary: the tokens; bytes if the dataset states none.
      given: number of tokens at the start of each text that are given and not predicted.
      differ: whether the field `given` states this number for each text.
    """

    vocabulary: Vocabulary
    given: int = 0
    differ: bool = False

    @classmethod
    def of(cls, spec: Spec) -> 'Texts':
        """Reads the notes of a dataset, `vocabulary` and `given_tokens`, and its fields."""
        given = int(spec.notes.get('given_tokens', 0))
        return cls(Vocabulary.of(spec.notes), given, GIVEN in spec.example)

    def inputs(self, text: jax.Array) -> jax.Array:
        """Returns the tokens that a model sees, int32: [B, L - 1], or [B, L] if no token is given.

        If none is given, token i is that of the text before it, and the first one is 0.
        """
        tokens = text.astype(jnp.int32)
        return (tokens if self.given else jnp.pad(tokens, ((0, 0), (1, 0))))[:, :-1]

    def targets(self, text: jax.Array) -> jax.Array:
        """Returns the tokens to predict from `inputs`, of the same shape."""
        return text[:, 1:] if self.given else text

    def is_predicted(self, batch: Batch) -> jax.Array:
        """Returns which of `targets` count, bool: not padding, nor what is given."""
        skipped = min(self.given, 1)
        places = jnp.arange(skipped, batch['text'].shape[1])[None]
        counts = places < batch['length'][:, None]
        if self.given > 1:
            counts &= places >= self.given
        return counts & (places >= batch[GIVEN][:, None]) if self.differ else counts
