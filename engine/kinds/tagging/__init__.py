"""Outputs of kind `tagging`: a class, called tag, for each token of a sequence."""

from collections.abc import Sequence

import numpy as np

from engine.errors import UserError
from engine.kinds.texts import stored
from engine.outputs.joint.averages import mean, vote
from engine.outputs.kind import Arrays, Decode, Field, Kind
from engine.render.escape import printable

_BLOCK_NUMBERS = 2**22  # scores that are computed at once


def pack_tokens(arrays: Arrays, decode: Decode | None) -> dict[str, np.ndarray]:
    """Stores the text of each token, for people.

    >>> ids = np.frombuffer(b'hi', np.uint8)[np.newaxis]
    >>> packed = pack_tokens({'token_ids': ids, 'predicted': np.zeros((1, 2), np.int32)}, None)
    >>> packed['tokens'].tobytes(), packed['token_lengths'].tolist()
    (b'hi', [[1, 1]])

    Args:
      arrays: `token_ids` int [n, l], and `lengths` int [n] if sequences are padded. Without `token_ids`, the
        arrays stay unchanged.
      decode: returns the text of token ids; None if they are bytes.

    Raises:
      UserError: shapes do not fit, or ids need a `decode`.
    """
    packed = dict(arrays)
    if 'token_ids' not in packed:
        return packed
    ids = packed.pop('token_ids')
    counts = np.asarray(packed.get('lengths', np.full(len(ids), ids.shape[-1])))
    valid = np.arange(ids.shape[-1]) < counts[:, np.newaxis]
    distinct, places = np.unique(ids[valid], return_inverse=True)
    texts = stored.of_tokens('token_ids', distinct[:, np.newaxis], np.ones(len(distinct), int), decode)
    packed['tokens'], lengths = stored.store(texts[place] for place in places.tolist())
    packed['token_lengths'] = np.zeros(ids.shape, np.int32)
    packed['token_lengths'][valid] = lengths
    return packed


def predicted_tags(arrays: Arrays) -> np.ndarray:
    """Returns the predicted tag of each token, int32 [n, l]: of equally probable tags the first."""
    if 'predicted' in arrays:
        return np.asarray(arrays['predicted'])
    scores = arrays['logits'] if 'logits' in arrays else arrays['probabilities']
    rows = max(1, _BLOCK_NUMBERS // max(1, scores[:1].size))
    starts = range(0, len(scores), rows)
    return np.concatenate([scores[start : start + rows].argmax(-1) for start in starts]).astype(np.int32)


def tokens(arrays: Arrays, row: int) -> list[str] | None:
    """Returns the tokens of one sequence, with '' for padding; None if the outputs hold no tokens."""
    if 'tokens' not in arrays:
        return None
    lengths = arrays['token_lengths']
    start, of_row = int(lengths[:row].sum(dtype=np.int64)), lengths[row]
    return stored.restore(arrays['tokens'][start : start + int(of_row.sum())], of_row)


def is_token(arrays: Arrays) -> np.ndarray:
    """Returns which positions hold tokens, bool [n, l], as far as `lengths`, tokens or targets tell."""
    shape = predicted_tags(arrays).shape
    if 'lengths' in arrays:
        return np.arange(shape[1]) < np.asarray(arrays['lengths'])[:, np.newaxis]
    if 'token_lengths' in arrays:
        return np.asarray(arrays['token_lengths']) > 0
    return np.asarray(arrays['targets']) >= 0 if 'targets' in arrays else np.ones(shape, bool)


def accuracy(predictions: Arrays, labels: Arrays) -> float:
    """Returns the share of tokens with a target whose predicted tag is the target."""
    counted = labels['targets'] >= 0
    return float(np.mean(predicted_tags(predictions)[counted] == labels['targets'][counted]))


def ensemble(members: Sequence[Arrays]) -> dict[str, np.ndarray]:
    """Returns the mean of the members' probabilities, in float64.

    Where all members hold predicted tags alone, it is the tag that most of them predict; of equally frequent
    ones the lowest.

    Raises:
      UserError: some members hold predicted tags alone.
    """
    alone = ['predicted' in arrays for arrays in members]
    if all(alone):
        return {'predicted': vote([arrays['predicted'] for arrays in members])}
    if any(alone):
        raise UserError(
            f'{sum(alone)} of {len(members)} members hold predicted tags alone, and the others scores of all '
            'tags. Pass members of one form.'
        )
    return {'probabilities': mean([_probabilities(arrays) for arrays in members])}


def _probabilities(arrays: Arrays) -> np.ndarray:
    if 'logits' not in arrays:
        return arrays['probabilities'].astype(np.float64)
    logits = arrays['logits'].astype(np.float64)
    with np.errstate(invalid='ignore'):  # the evaluator reports infinities of a diverged model
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)


def _table(arrays: Arrays, ids: Sequence[str], class_names: Sequence[str]) -> dict[str, Sequence[str]]:
    """Returns the columns of predictions.csv: id, tokens if known, predicted tags and targets if known."""
    tags, valid = predicted_tags(arrays), is_token(arrays)
    columns: dict[str, Sequence[str]] = {'id': ids}
    if 'tokens' in arrays:
        texts = [tokens(arrays, row) or [] for row in range(len(ids))]
        columns['tokens'] = [printable(' '.join(filter(None, each))) for each in texts]
    columns['prediction'] = _in_words(tags, valid, class_names)
    if 'targets' in arrays:
        columns['target'] = _in_words(np.asarray(arrays['targets']), valid, class_names)
    return columns


def _in_words(tags: np.ndarray, valid: np.ndarray, class_names: Sequence[str]) -> list[str]:
    return [
        ' '.join(tag_name(tag, class_names) for tag in row[here].tolist())
        for row, here in zip(tags, valid, strict=True)
    ]


def tag_name(tag: int, class_names: Sequence[str]) -> str:
    """Returns the name of a tag; its index if tags have no names; '-' for none."""
    return (
        str(tag)
        if not class_names and tag >= 0
        else class_names[tag]
        if tag in range(len(class_names))
        else '-'
    )


KIND = Kind(
    arrays={
        'logits': Field('float32', 'n l classes', also='float16'),
        'probabilities': Field('float32', 'n l classes', also='float16'),
        'predicted': Field('int32', 'n l', below='classes', padded=True),
        'targets': Field('int32', 'n l', below='classes', may_ignore=True, padded=True),
        'lengths': Field('int32', 'n'),
        'tokens': Field('uint8', 'token_bytes'),
        'token_lengths': Field('int32', 'n l', lengths_of='token_bytes'),
    },
    needs=(('logits', 'probabilities', 'predicted'),),
    from_data=('targets',),
    pack_tokens=pack_tokens,
    table=_table,
    ensemble=ensemble,
    agreement=accuracy,
)
