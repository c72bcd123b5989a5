"""Sampled texts as outputs of the kind `texts`."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from engine.datasets.text.options import BYTES
from engine.errors import UserError
from engine.interfaces import Batch, Description, keys_by_row
from engine.parts.language.sampling import Sampling, sample
from engine.parts.language.texts import GIVEN, Texts
from engine.parts.supervised import Model

MEANINGS = {
    'text_tokens': 'sampled tokens',
    'text_counts': 'number of sampled tokens',
    'source_tokens': 'tokens of the prompt',
    'source_counts': 'number of tokens of the prompt',
}
REFERENCES = {
    'reference_tokens': 'tokens of the text after those that are given',
    'reference_counts': 'number of these tokens',
}


def check(sampling: Sampling, texts: Texts) -> None:
    """Raises `UserError` if a sampling does not fit the texts of a dataset."""
    sampling.end_token(texts.vocabulary)
    if texts.given and sampling.prompt in (0, ''):
        raise UserError(
            f'Sampling.prompt = {sampling.prompt!r}: the model was trained to predict from at least one '
            'token. Give a text, or a number of tokens.'
        )


def sampled(model: Model, batch: Batch, texts: Texts, sampling: Sampling) -> dict[str, jax.Array]:
    """Returns sampled texts, their prompts and, if each example states what is given, the true texts.

    Args:
      model: the network in evaluation mode.
      batch: of texts.
      texts: what the dataset states of them.
      sampling: how texts are sampled.
    """
    prompts, counts = _prompts(batch, texts, sampling)
    first = 0 if texts.given else 1  # the token that stands before a text
    context = batch['text'].shape[1] - (1 - first)
    keys = keys_by_row(jax.random.key(sampling.seed), batch)
    known = jnp.pad(prompts, ((0, 0), (first, 0)))
    tokens = sample(model, known, counts + first, context, sampling, keys)
    end = sampling.end_token(texts.vocabulary)
    arrays = {
        'text_tokens': tokens,
        'text_counts': _counts(tokens, end),
        'source_tokens': prompts,
        'source_counts': counts,
    }
    return arrays | (_references(batch) if texts.differ else {})


def described(texts: Texts, details: Mapping[str, str]) -> Description:
    """Returns what the manifest says of sampled texts."""
    return Description(
        kind='texts',
        predictions=MEANINGS | (REFERENCES if texts.differ else {}),
        details=details,
        decode=None if texts.vocabulary.kind == BYTES else texts.vocabulary.decode,
    )


def _prompts(batch: Batch, texts: Texts, sampling: Sampling) -> tuple[jax.Array, jax.Array]:
    """Returns the tokens of the prompts, int32 [B, K], and how many of them count, int32 [B]."""
    rows, text = len(batch['text']), batch['text'].astype(jnp.int32)
    if isinstance(sampling.prompt, str):
        tokens = texts.vocabulary.encode(sampling.prompt)
        return jnp.tile(tokens[None], (rows, 1)), jnp.full(rows, len(tokens), jnp.int32)
    if sampling.prompt is None and texts.differ:
        return text, jnp.minimum(batch[GIVEN], batch['length'])
    count = min(texts.given if sampling.prompt is None else sampling.prompt, text.shape[1])
    return text[:, :count], jnp.minimum(batch['length'], count)


def _counts(tokens: jax.Array, end: int | None) -> jax.Array:
    """Returns the number of tokens before the first `end`, int32 [B]."""
    if end is None:
        return jnp.full(len(tokens), tokens.shape[1], jnp.int32)
    return jnp.cumprod((tokens != end).astype(jnp.int32), 1).sum(1, dtype=jnp.int32)


def _references(batch: Batch) -> dict[str, jax.Array]:
    """Returns the tokens of each text after those that are given, and their number."""
    size = batch['text'].shape[1]
    places = jnp.minimum(jnp.arange(size)[None] + batch[GIVEN][:, None], size - 1)
    return {
        'reference_tokens': jnp.take_along_axis(batch['text'], places, 1).astype(jnp.int32),
        'reference_counts': jnp.maximum(batch['length'] - batch[GIVEN], 0).astype(jnp.int32),
    }
