"""Outputs of kind `texts`: a predicted text for each example, and any number of reference texts."""

from collections.abc import Sequence

import numpy as np

from engine.errors import UserError
from engine.kinds.texts import stored
from engine.outputs.kind import Arrays, Decode, Field, Kind
from engine.render.escape import printable


def pack_tokens(arrays: Arrays, decode: Decode | None) -> dict[str, np.ndarray]:
    """Stores the texts of token ids, one after another.

    >>> tokens = np.frombuffer(b'hi  yes ', np.uint8).reshape(2, 4)
    >>> arrays = {'text_tokens': tokens, 'text_counts': np.array([2, 3])}
    >>> packed = pack_tokens(arrays, None)
    >>> packed['texts'].tobytes(), packed['text_lengths'].tolist()
    (b'hiyes', [2, 3])

    A task under `jax.jit` returns L token ids for every example. The first `text_counts` of them are valid.
    References and sources, such as the sentence to translate or the prompt, can have the same form.

    Args:
      arrays: `text_tokens` int [n, L] and `text_counts` int [n]; also with `source_` or `reference_` in place
        of `text_`. References may also be [n, k, L] with counts [n, k], where -1 stands for none.
      decode: returns the text of token ids; None if they are bytes.

    Returns:
      The arrays of the kind. Arrays that hold no tokens stay unchanged.

    Raises:
      UserError: shapes do not fit, counts are out of range, or ids need a `decode`.
    """
    packed = dict(arrays)
    for name in ('text', 'source'):
        if f'{name}_tokens' in packed:
            tokens, counts = packed.pop(f'{name}_tokens'), _counts(packed, name)
            texts = stored.of_tokens(f'{name}_tokens', tokens, counts, decode)
            packed[f'{name}s'], packed[f'{name}_lengths'] = stored.store(texts)
    tokens = packed.pop('reference_tokens', None)
    if tokens is not None and 'reference_counts' in packed:  # a split without labels has no counts
        packed |= _references(tokens, packed.pop('reference_counts'), decode)
    return packed


def _counts(packed: dict[str, np.ndarray], name: str) -> np.ndarray:
    if f'{name}_counts' not in packed:
        raise UserError(f'there are {name}_tokens, but no {name}_counts: the number of tokens of each text.')
    return packed.pop(f'{name}_counts')


def _references(tokens: np.ndarray, counts: np.ndarray, decode: Decode | None) -> dict[str, np.ndarray]:
    tokens, counts = (tokens[:, np.newaxis], counts[:, np.newaxis]) if tokens.ndim == 2 else (tokens, counts)
    if tokens.ndim != 3 or counts.shape != tokens.shape[:2]:
        raise UserError(
            f'reference_tokens has the shape {list(tokens.shape)} and reference_counts {list(counts.shape)}, '
            'but [n, L] with [n], or [n, k, L] with [n, k] are needed.'
        )
    given = counts >= 0
    texts = stored.of_tokens('reference_tokens', tokens[given], counts[given], decode)
    data, lengths = stored.store(texts)
    owners = np.nonzero(given)[0].astype(np.int32)
    return {'references': data, 'reference_lengths': lengths, 'reference_example': owners}


def references(arrays: Arrays, examples: int) -> list[list[str]]:
    """Returns the reference texts of each example; an empty list for one that has none."""
    of_example: list[list[str]] = [[] for _ in range(examples)]
    if 'reference_example' in arrays:
        texts = stored.restore(arrays['references'], arrays['reference_lengths'])
        for owner, text in zip(arrays['reference_example'].tolist(), texts, strict=True):
            of_example[owner].append(text)
    return of_example


def _table(arrays: Arrays, ids: Sequence[str], class_names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Returns the columns of predictions.csv: id, source, prediction and references, as far as they exist."""
    del class_names
    columns: dict[str, Sequence[str]] = {'id': ids}
    if 'sources' in arrays:
        columns['source'] = _printable(stored.restore(arrays['sources'], arrays['source_lengths']))
    columns['prediction'] = _printable(stored.restore(arrays['texts'], arrays['text_lengths']))
    of_example = references(arrays, len(ids))
    for number in range(max(map(len, of_example))):
        name = f'reference_{number}' if number else 'reference'
        columns[name] = _printable([texts[number] if number < len(texts) else '' for texts in of_example])
    return columns


def _printable(texts: Sequence[str]) -> list[str]:
    return list(map(printable, texts))


KIND = Kind(
    arrays={
        'texts': Field('uint8', 'text_bytes'),
        'text_lengths': Field('int32', 'n', lengths_of='text_bytes'),
        'references': Field('uint8', 'reference_bytes'),
        'reference_lengths': Field('int32', 'r', lengths_of='reference_bytes'),
        'reference_example': Field('int32', 'r', below='n'),
        'sources': Field('uint8', 'source_bytes'),
        'source_lengths': Field('int32', 'n', lengths_of='source_bytes'),
    },
    needs=(('texts',), ('text_lengths',)),
    from_data=('references', 'reference_lengths', 'reference_example'),
    of_inputs=('text_counts', 'source_tokens', 'source_counts', 'reference_tokens', 'reference_counts'),
    pack_tokens=pack_tokens,
    takes='text_tokens [n, L] and text_counts [n]',
    table=_table,
)
