"""Subwords by byte pair encoding: Sennrich et al. 2016, https://arxiv.org/abs/1508.07909.

The library sentencepiece learns and applies them: Kudo and Richardson 2018, https://arxiv.org/abs/1808.06226.
Nothing is normalised. What has no piece, such as a rare character or the end of a line, is spelled in bytes.
"""

import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engine.errors import UserError

# sentencepiece is loaded by the functions that need it, because training needs the tokens alone.

SPACE = '\u2581'  # how sentencepiece writes a space, so this character itself is spelled in bytes
UNKNOWN = '<unk>'  # sentencepiece needs it as its first piece, and never makes it of a text
_ASCII = {chr(code) for code in range(128)}
MAX_LINE = 1000  # characters that sentencepiece gets at once; it skips lines of more than 4,192 bytes
OPTIONS = {
    'model_type': 'bpe',
    'normalization_rule_name': 'identity',
    'add_dummy_prefix': False,
    'remove_extra_whitespaces': False,
    'byte_fallback': True,
    'hard_vocab_limit': False,  # a short text has fewer subwords than asked for
    'unk_id': 0,
    'bos_id': -1,
    'eos_id': -1,
    'pad_id': -1,
    'num_threads': 1,
    'minloglevel': 3,  # errors are raised
}


def learned(texts: Sequence[str], size: int) -> tuple[str | int, ...]:
    """Returns pieces: the bytes that no character is, then subwords, the first merged first, then characters.

    Args:
      texts: what to learn from.
      size: number of pieces at most.

    Raises:
      UserError: `size` leaves no room for the bytes and the characters.
    """
    import sentencepiece

    if not any(_lines(texts)):
        return tuple(range(256))
    model, ascii_count = io.BytesIO(), len({character for text in texts for character in set(text) & _ASCII})
    try:
        # sentencepiece counts a character of ASCII twice, as a piece and as a byte, and `UNKNOWN` too.
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_lines(texts), model_writer=model, vocab_size=size + ascii_count + 1, **OPTIONS
        )
    except RuntimeError as error:
        raise _failure(error, size, ascii_count) from error
    pieces = _pieces(sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()))
    return _shortened(pieces, size)


def _lines(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        for line in text.split('\n'):
            yield from (line[start : start + MAX_LINE] for start in range(0, len(line), MAX_LINE))


def _failure(error: RuntimeError, size: int, ascii_count: int) -> UserError:
    if least := re.search(r'smaller than required_chars\. \d+ vs (\d+)', str(error)):
        return UserError(
            f'size = {size}: a vocabulary of subwords needs more tokens than the '
            f'{int(least[1]) - 1 - ascii_count} for bytes and characters. Raise the size.'
        )
    return UserError(f'sentencepiece cannot learn subwords of this text: {error}.')


def _pieces(model: Any) -> list[str | int]:
    """Returns the pieces of a model of sentencepiece. A byte that is also a character occurs once."""
    tokens = range(1, model.get_piece_size())
    texts = [model.id_to_piece(token).replace(SPACE, ' ') for token in tokens if not model.is_byte(token)]
    return [*(byte for byte in range(256) if byte > 127 or chr(byte) not in texts), *texts]


def _shortened(pieces: list[str | int], size: int) -> tuple[str | int, ...]:
    """Returns at most `size` pieces: the last subwords are left out."""
    subwords = [piece for piece in pieces if isinstance(piece, str) and len(piece) > 1]
    left_out = set(subwords[len(subwords) - max(0, len(pieces) - size) :])
    return tuple(piece for piece in pieces if piece not in left_out)


class Subwords:
    """Divides texts into pieces, as sentencepiece does with a model of these pieces.

    Args:
      pieces: as `learned` returns them.
    """

    def __init__(self, pieces: Sequence[str | int]):
        import sentencepiece

        tokens = {piece: token for token, piece in enumerate(pieces)}
        spelled = [tokens.get(byte, tokens.get(chr(byte), 0)) for byte in range(256)]
        tokens.setdefault(' ', spelled[ord(' ')])  # else it would be spelled as `SPACE`
        texts = [piece for piece in tokens if isinstance(piece, str)]
        self._model = sentencepiece.SentencePieceProcessor(model_proto=_model(texts))
        self._tokens = np.array([0, *spelled, *(tokens[text] for text in texts)], np.int32)
        self._space = self._tokens[[byte + 1 for byte in SPACE.encode()]]

    def encode(self, text: str) -> np.ndarray:
        """Returns the tokens of a text, int32 [n]."""
        parts: list[np.ndarray] = []
        for index, part in enumerate(text.split(SPACE)):
            parts += [self._space] if index else []
            parts.append(self._tokens[np.array(self._model.encode(part), np.int32)])
        return np.concatenate(parts)


def _model(texts: Sequence[str]) -> bytes:
    """Returns a model of sentencepiece, in its own format: `UNKNOWN`, the 256 bytes, then these pieces."""
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2
    model, kinds = messages.ModelProto(), messages.ModelProto.SentencePiece
    model.pieces.add(piece=UNKNOWN, score=0.0, type=kinds.UNKNOWN)
    for byte in range(256):
        model.pieces.add(piece=f'<0x{byte:02X}>', score=0.0, type=kinds.BYTE)
    for rank, text in enumerate(texts):
        model.pieces.add(piece=text.replace(' ', SPACE), score=-float(rank), type=kinds.NORMAL)
    trainer, normalizer = model.trainer_spec, model.normalizer_spec
    trainer.model_type, trainer.byte_fallback, trainer.unk_id = messages.TrainerSpec.BPE, True, 0
    trainer.bos_id = trainer.eos_id = trainer.pad_id = -1
    normalizer.name, normalizer.add_dummy_prefix, normalizer.remove_extra_whitespaces = (
        'identity',
        False,
        False,
    )
    return model.SerializeToString()
