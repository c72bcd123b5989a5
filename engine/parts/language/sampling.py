"""Sampling of texts, token by token, from the probabilities of a language model."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine.datasets.text.vocabulary import Vocabulary
from engine.errors import UserError

Model = Callable[..., Any]  # (input, method='__call__') -> output, in evaluation mode


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How texts are sampled.

    Each example has random numbers of its own, which depend neither on the size of a batch nor on the device.
    If a text grows longer than the context of the model, the model goes on with the last half of it.

    Args:
      tokens: number of tokens to sample.
      prompt: what comes before them: a text, or the number of tokens at the start of each example; None takes
        the tokens that are given. Shorter examples are prompts as a whole.
      temperature: divides the logits. Below 1, probable tokens become more probable; 0 always takes the most
        probable token.
      top_k: number of the most probable tokens that are drawn from; 0 draws from all. Fan et al. 2018,
        https://arxiv.org/abs/1805.04833.
      end: text of the token that ends a sample and is not part of it; '' lets all samples have `tokens`.
      seed: of the random draws.
      cache: whether keys and values of earlier tokens are kept, by the model's method `decode`. Otherwise the
        model computes all of its context for each token.
    """

    tokens: int = 256
    prompt: str | int | None = None
    temperature: float = 1.0
    top_k: int = 0
    end: str = ''
    seed: int = 0
    cache: bool = True

    def __post_init__(self) -> None:
        """Raises `UserError` if a number is out of its range."""
        least = {'tokens': 1, 'temperature': 0, 'top_k': 0, 'prompt': 0}
        for name, low in least.items():
            value = getattr(self, name)
            if isinstance(value, int | float) and not low <= value < math.inf:
                raise UserError(f'Sampling.{name} = {value}: it must be at least {low}.')

    def end_token(self, vocabulary: Vocabulary) -> int | None:
        """Returns the token that ends a sample, None if there is none.

        Raises:
          UserError: the text is not a single token.
        """
        tokens = vocabulary.encode(self.end).tolist() if self.end else [None]
        if len(tokens) > 1:
            raise UserError(
                f'Sampling.end = {self.end!r} is {len(tokens)} tokens of this vocabulary. Take a text of one '
                "token, such as '\\n'."
            )
        return tokens[0]

    def choose(self, logits: jax.Array, keys: jax.Array) -> jax.Array:
        """Returns a token for each row of logits [B, vocabulary], int32 [B].

        Args:
          logits: of the next token.
          keys: a random key for each row, [B].
        """
        if not self.temperature:
            return jnp.argmax(logits, -1).astype(jnp.int32)
        if 0 < self.top_k < logits.shape[-1]:
            least = jax.lax.top_k(logits, self.top_k)[0][:, -1:]
            logits = jnp.where(logits < least, -jnp.inf, logits)
        return jax.vmap(jax.random.categorical)(keys, logits / self.temperature).astype(jnp.int32)


def sample(
    model: Model, known: jax.Array, counts: jax.Array, context: int, sampling: Sampling, keys: jax.Array
) -> jax.Array:
    """Returns the tokens that follow some known ones, int32 [B, sampling.tokens].

    It is a single loop of the device. Under `jax.jit` it compiles once.

    Args:
      model: maps tokens int32 [B, context] to logits [B, context, vocabulary]. If `sampling.cache` is set,
        its method `decode` maps `token`, int32 [B], `position`, int32 [], and `cache` to `logits`,
        f32 [B, vocabulary], and the new `cache`, a tree of arrays. The first call has no `cache`.
      known: the tokens to begin with, int32 [B, K].
      counts: how many of them count, at least 1, int32 [B].
      context: number of tokens that the model can see.
      sampling: how tokens are drawn.
      keys: a random key for each row, [B].
    """
    tokens = jnp.pad(known, ((0, 0), (0, sampling.tokens)))
    places = jnp.asarray(_places(tokens.shape[1], context, sampling.cache))
    logits, memory = (_cached if sampling.cache else _uncached)(model, tokens, context)

    def step(carry: tuple[jax.Array, Any], place: jax.Array) -> tuple[tuple[jax.Array, Any], None]:
        (tokens, memory), (index, position, is_new) = carry, place
        scores, memory = logits(tokens, index, position, memory)
        number = index + 1 - counts  # of the token among those that are sampled
        drawn = sampling.choose(scores, jax.vmap(jax.random.fold_in)(keys, jnp.maximum(number, 0)))
        before = jax.lax.dynamic_index_in_dim(tokens, index + 1, 1, keepdims=False)
        after = jnp.where((is_new == 1) & (number >= 0), drawn, before)
        return (jax.lax.dynamic_update_index_in_dim(tokens, after, index + 1, 1), memory), None

    (tokens, _), _ = jax.lax.scan(step, (tokens, memory), places)
    return jnp.take_along_axis(tokens, counts[:, None] + jnp.arange(sampling.tokens)[None], 1)


def _places(total: int, context: int, again: bool) -> np.ndarray:
    """Returns the calls of the model, int32 [calls, 3]: index and position of a token, and 1 if it is new.

    Args:
      total: number of tokens of a whole text.
      context: number of tokens that the model can see.
      again: whether tokens are called once more, as new ones of another window, to fill a cache.
    """
    return np.array(list(_windows(total, context, again)), np.int32).reshape(-1, 3)


def _windows(total: int, context: int, again: bool) -> Iterator[tuple[int, int, int]]:
    start = 0
    for index in range(total - 1):
        if index - start == context:
            start = index - context // 2
            yield from ((old, old - start, 0) for old in range(start, index) if again)
        yield index, index - start, 1


def _cached(model: Model, tokens: jax.Array, context: int) -> tuple[Callable[..., Any], Any]:
    """Returns a function for the logits after a token, and an empty cache."""
    del context

    def logits(tokens: jax.Array, index: Any, position: Any, cache: Any) -> tuple[jax.Array, Any]:
        token = jax.lax.dynamic_index_in_dim(tokens, index, 1, keepdims=False)
        output = model({'token': token, 'position': position, **cache}, method='decode')
        return output['logits'], {'cache': output['cache']}

    first = partial(logits, index=0, position=jnp.zeros((), jnp.int32), cache={})
    shapes = jax.eval_shape(first, tokens)[1]
    return logits, jax.tree.map(lambda array: jnp.zeros(array.shape, array.dtype), shapes)


def _uncached(model: Model, tokens: jax.Array, context: int) -> tuple[Callable[..., Any], Any]:
    """Returns a function for the logits after a token that needs no cache."""
    del tokens

    def logits(tokens: jax.Array, index: Any, position: Any, memory: Any) -> tuple[jax.Array, Any]:
        padded = jnp.pad(tokens, ((0, 0), (0, context)))
        window = jax.lax.dynamic_slice_in_dim(padded, index - position, context, 1)
        return jax.lax.dynamic_index_in_dim(model(window), position, 1, keepdims=False), memory

    return logits, ()
