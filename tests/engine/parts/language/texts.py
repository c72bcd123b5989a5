"""Texts of several lengths and vocabularies, and tasks that learn them."""

from functools import partial
from typing import Any

import jax
import numpy as np
import optax

from engine.datasets.text.vocabulary import Vocabulary, learned
from engine.interfaces import INDEX, VALID, Spec
from engine.parts.language import Language, Sampling
from engine.parts.supervised import BoundSupervised
from research.models.transformer import Transformer

LENGTH = 17
SENTENCES = ['der grüne Wald', 'ein 🐝', 'ab', 'über alle Berge und']
KNOWN = {
    'bytes': learned('bytes', []),
    'characters': learned('characters', SENTENCES[:3]),
    'bpe': learned('bpe', SENTENCES * 9, 290),
}


def spec(kind: str, given: int, field: bool = False) -> Spec:
    """Returns the spec of texts of `LENGTH` tokens."""
    vocabulary = KNOWN[kind]
    fields = {'length': jax.ShapeDtypeStruct((), np.int32)} | (
        {'given': jax.ShapeDtypeStruct((), np.int32)} if field else {}
    )
    text = jax.ShapeDtypeStruct((LENGTH,), vocabulary.dtype)
    notes = {'vocabulary': vocabulary.notes(), 'given_tokens': given}
    return Spec({'text': text, **fields}, {}, notes)


def batch(vocabulary: Vocabulary, rows: slice = slice(None), **more: Any) -> dict[str, Any]:
    """Returns some of `SENTENCES` as a batch; longer ones are cut."""
    tokens = [vocabulary.encode(sentence)[:LENGTH] for sentence in SENTENCES[rows]]
    return {
        'text': np.stack([np.pad(row, (0, LENGTH - len(row))) for row in tokens]).astype(vocabulary.dtype),
        'length': np.array([len(row) for row in tokens], np.int32),
        INDEX: np.arange(len(tokens), dtype=np.int32),
        VALID: np.ones(len(tokens), bool),
        **more,
    }


def bound(spec: Spec, sampling: Sampling | None = None) -> BoundSupervised:
    """Returns a task with a small transformer."""
    model = partial(Transformer, width=8, depth=1, heads=2)
    return Language(model=model, optimizer=optax.adamw, learning_rate=0.01, sampling=sampling).bind(spec)
