"""Vocabularies: the tokens of a text, and its text again.

A vocabulary is a list of pieces. A piece is a short text, or a single byte, written as its number. A text is
the concatenation of its pieces, so `decode(encode(text)) == text` holds for every text, and the bytes of each
token are known. All 256 bytes are pieces, which spell what no other piece does, such as a character that the
training part lacks.

bytes         the 256 bytes
characters    the characters of the training part, sorted, then the other bytes
bpe           subwords by byte pair encoding, learned from the training part (`subwords.py`)
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engine.datasets.text import subwords
from engine.datasets.text.options import BPE, BYTES, CHARACTERS, KINDS
from engine.errors import UserError, did_you_mean

NOTE = 'vocabulary'  # in `Spec.notes`
FILE = f'{NOTE}/{NOTE}.json'  # in the folder of the arrays

Piece = str | int


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a text, from 0 to `size` - 1.

    >>> known = learned('characters', ['to be'])
    >>> known.decode(known.encode('to 🐝')), known.size
    ('to 🐝', 256)

    Args:
      kind: BYTES, CHARACTERS or BPE.
      pieces: the text of each token, or its byte as a number. All are different, and all bytes are there.
    """

    kind: str
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """The number of tokens."""
        return len(self.pieces)

    @property
    def dtype(self) -> np.dtype:
        """The smallest dtype that holds every token: uint8, uint16 or int32."""
        return next(
            np.dtype(name) for name in ('uint8', 'uint16', 'int32') if self.size - 1 <= _maximum(name)
        )

    @cached_property
    def sha256(self) -> str:
        """The digest of kind and pieces. Vocabularies with the same tokens have the same digest."""
        return hashlib.sha256(self._json().encode()).hexdigest()

    @cached_property
    def piece_bytes(self) -> tuple[bytes, ...]:
        """The bytes of each token. Those of a text, one after another, are the text in UTF-8."""
        return tuple(bytes([piece]) if isinstance(piece, int) else piece.encode() for piece in self.pieces)

    def encode(self, text: str) -> np.ndarray:
        """Returns the tokens of a text, int32 [n].

        Raises:
          UnicodeEncodeError: it is not Unicode text, because it holds half of a surrogate pair.
        """
        if self.kind == BYTES:
            return np.frombuffer(text.encode(), np.uint8).astype(np.int32)
        if self.kind == BPE:
            return self._subwords.encode(text)
        return self._encode_characters(text)

    def encode_all(self, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the tokens of texts in one array, padded with zeros, and their numbers.

        >>> tokens, lengths = learned('bytes', ()).encode_all(['ab', 'c'])
        >>> tokens.tolist(), lengths.tolist()
        ([[97, 98], [99, 0]], [2, 1])

        Returns:
          Tokens of `dtype`, [n, length of the longest text], and the length of each text, int32 [n].
        """
        rows = [self.encode(text) for text in texts]
        lengths = np.array([len(row) for row in rows], np.int32)
        tokens = np.zeros((len(rows), max(lengths, default=0)), self.dtype)
        tokens[np.arange(tokens.shape[1]) < lengths[:, np.newaxis]] = np.concatenate([[], *rows])
        return tokens, lengths

    def decode(self, tokens: Iterable[int]) -> str:
        """Returns the text of tokens. Bytes that are not UTF-8, as a model may sample, become U+FFFD."""
        return self.decode_bytes(tokens).decode('utf-8', 'replace')

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """Returns the bytes of the text of tokens."""
        return b''.join(self.piece_bytes[token] for token in tokens)

    def byte_counts(self) -> np.ndarray:
        """Returns the number of bytes of each token, int32 [size]."""
        return np.array([len(piece) for piece in self.piece_bytes], np.int32)

    def notes(self) -> dict[str, Any]:
        """Returns what `Spec.notes['vocabulary']` holds: plain values, from which `of` makes it again."""
        return {'kind': self.kind, 'size': self.size, 'sha256': self.sha256, 'pieces': list(self.pieces)}

    @classmethod
    def of(cls, notes: Mapping[str, Any]) -> 'Vocabulary':
        """Returns the vocabulary that the notes of a dataset state; without one, a text is bytes.

        Args:
          notes: `Spec.notes`.
        """
        stated = notes.get(NOTE)
        return cls(stated['kind'], tuple(stated['pieces'])) if stated else learned(BYTES, ())

    def write(self, arrays: Path) -> None:
        """Writes the vocabulary into the folder of the arrays."""
        (arrays / FILE).parent.mkdir(parents=True)
        (arrays / FILE).write_text(self._json(), encoding='utf-8')

    @classmethod
    def read(cls, arrays: Path) -> 'Vocabulary':
        """Reads the vocabulary in the folder of the arrays.

        Raises:
          UserError: the file is damaged.
        """
        try:
            content = json.loads((arrays / FILE).read_text(encoding='utf-8'))
            vocabulary = cls(content['kind'], tuple(content['pieces']))
            vocabulary._check()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f'{arrays / FILE} is damaged: {error}. Delete {arrays}: the next command builds it again.'
            ) from error
        return vocabulary

    def _check(self) -> None:
        if self.kind not in KINDS or len(set(self.piece_bytes)) < self.size:
            raise ValueError('its kind is unknown, or a piece occurs twice')

    def _json(self) -> str:
        """Returns the content of the file: a piece per line, so that people can read it."""
        pieces = ',\n'.join(json.dumps(piece, ensure_ascii=False) for piece in self.pieces)
        return f'{{"kind": "{self.kind}", "size": {self.size}, "pieces": [\n{pieces}\n]}}\n'

    @cached_property
    def _subwords(self) -> subwords.Subwords:
        return subwords.Subwords(self.pieces)

    @cached_property
    def _codes(self) -> tuple[np.ndarray, np.ndarray]:
        """The code point of each piece that is a character, ascending, and its token."""
        characters = sorted(
            (ord(piece), token) for token, piece in enumerate(self.pieces) if isinstance(piece, str)
        )
        codes, tokens = zip(*characters, strict=True) if characters else ((-1,), (0,))
        return np.array(codes, np.int64), np.array(tokens, np.int32)

    @cached_property
    def _byte_tokens(self) -> np.ndarray:
        """The token of each byte, int32 [256]."""
        tokens = {piece: token for token, piece in enumerate(self.piece_bytes)}
        return np.array([tokens[bytes([byte])] for byte in range(256)], np.int32)

    def _encode_characters(self, text: str) -> np.ndarray:
        codes, tokens = self._codes
        points = np.frombuffer(text.encode('utf-32-le'), np.uint32).astype(np.int64)
        places = np.minimum(np.searchsorted(codes, points), len(codes) - 1)
        is_known, result = codes[places] == points, tokens[places]
        if is_known.all():
            return result
        parts, start = [], 0
        for index in np.flatnonzero(~is_known):
            spelled = self._byte_tokens[np.frombuffer(text[index].encode(), np.uint8)]
            parts += [result[start:index], spelled]
            start = index + 1
        return np.concatenate([*parts, result[start:]])


def learned(kind: str, texts: Sequence[str], size: int = 0) -> Vocabulary:
    """Returns the vocabulary of some texts. The same texts give the same vocabulary.

    Args:
      kind: BYTES, CHARACTERS or BPE.
      texts: the training part.
      size: number of tokens of BPE at most; a short text has fewer.

    Raises:
      UserError: there is no such kind, or BPE cannot have so few tokens.
    """
    if kind not in KINDS:
        raise UserError(f'There is no vocabulary {kind!r}. {did_you_mean(kind, KINDS)}')
    if kind == BPE:
        return Vocabulary(kind, subwords.learned(texts, size))
    characters = sorted(set().union(*texts)) if kind == CHARACTERS else []
    known = {character.encode() for character in characters}
    return Vocabulary(kind, (*characters, *(byte for byte in range(256) if bytes([byte]) not in known)))


def _maximum(dtype: str) -> int:
    return int(np.iinfo(dtype).max)
