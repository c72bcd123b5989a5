"""Texts as arrays: the bytes of all texts in UTF-8, one text after another, and the length of each.

The form is exact for every text, also for empty ones and for bytes that are not UTF-8.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from engine.errors import UserError
from engine.outputs.kind import Decode


def store(texts: Iterable[str | bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Returns texts as bytes, uint8 [m], and the number of bytes of each text, int32 [n].

    >>> data, lengths = store(['a', '', 'é'])
    >>> data.tolist(), lengths.tolist()
    ([97, 195, 169], [1, 0, 2])
    """
    encoded = [text if isinstance(text, bytes) else _utf8(text) for text in texts]
    return np.frombuffer(b''.join(encoded), np.uint8), np.array(list(map(len, encoded)), np.int32)


def restore(data: np.ndarray, lengths: np.ndarray) -> list[str]:
    """Returns the texts of bytes and lengths. Bytes that are not UTF-8 become replacement characters.

    >>> restore(np.frombuffer(b'abc', np.uint8), np.array([1, 2]))
    ['a', 'bc']
    """
    whole, ends = data.tobytes(), [0, *np.cumsum(lengths, dtype=np.int64).tolist()]
    return [whole[start:end].decode('utf-8', 'replace') for start, end in pairwise(ends)]


def one(data: np.ndarray, lengths: np.ndarray, index: int) -> str:
    """Returns one of the texts of bytes and lengths."""
    start = int(lengths[:index].sum(dtype=np.int64))
    return data[start : start + int(lengths[index])].tobytes().decode('utf-8', 'replace')


def of_tokens(name: str, tokens: np.ndarray, counts: np.ndarray, decode: Decode | None) -> list[str | bytes]:
    """Returns the texts of token ids.

    Args:
      name: of the array of tokens, for messages.
      tokens: int [n, l].
      counts: number of tokens of each text, int [n].
      decode: returns the text of token ids; None if the ids are bytes.

    Raises:
      UserError: shapes do not fit, counts are out of range, or ids are not bytes and there is no `decode`.
    """
    if tokens.ndim != 2 or tokens.dtype.kind not in 'iu' or counts.shape != tokens.shape[:1]:
        raise UserError(
            f'{name} is {tokens.dtype} {list(tokens.shape)} with counts {list(counts.shape)}, but whole '
            'numbers [n, l] with counts [n] are needed.'
        )
    if counts.size and not 0 <= counts.min() <= counts.max() <= tokens.shape[1]:
        raise UserError(
            f'the counts of {name} are from {counts.min()} to {counts.max()}, but a text has 0 to '
            f'{tokens.shape[1]} tokens.'
        )
    rows = [row[:count] for row, count in zip(tokens, counts.tolist(), strict=True)]
    return [decode(row.tolist()) if decode else _bytes(name, row) for row in rows]


def _bytes(name: str, ids: np.ndarray) -> bytes:
    if ids.size and not 0 <= ids.min() <= ids.max() <= 255:
        raise UserError(
            f'{name} holds {ids.max() if ids.max() > 255 else ids.min()}, which is not a byte. Pass the '
            '`decode` of the vocabulary in the description of the task: Description(decode=...).'
        )
    return ids.astype(np.uint8).tobytes()


def _utf8(text: str) -> bytes:
    """Returns a text in UTF-8. Escaped bytes become bytes again, other halves of pairs become '?'."""
    try:
        return text.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        return text.encode('utf-8', 'replace')
