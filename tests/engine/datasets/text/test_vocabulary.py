"""Vocabularies: encoding and decoding are exact inverses, and equal texts give equal vocabularies."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.text import subwords
from engine.datasets.text.options import KINDS
from engine.datasets.text.vocabulary import FILE, Vocabulary, learned
from engine.errors import UserError
from engine.workspace import REPOSITORY
from tests.engine.random_cases import random_cases

ODD = 'naïve 漢字 🐝🐝 ▁▁ ▁a \r\n\t\0x <0x0A> <unk> <s></s>\n'
PROSE = (REPOSITORY / 'CONTRIBUTING.md').read_text(encoding='utf-8')
KNOWN = [
    learned('bytes', []),
    learned('characters', [ODD]),
    learned('characters', ['']),
    learned('bpe', [ODD * 40], 340),
    learned('bpe', [PROSE], 500),
]
TEXTS = [
    '',
    '\n',
    '\t  x  ',
    'a\r\nb',
    '▁',
    ' ▁ ',
    '<0x0A>',
    '<unk>',
    '😀 é e\u0301',
    '\ufeffx',
    '\0',
    '\u2028',
    PROSE,
]
CHARACTERS = st.one_of(st.characters(exclude_categories=['Cs']), st.sampled_from(ODD))


@pytest.mark.parametrize('text', TEXTS)
@pytest.mark.parametrize('vocabulary', KNOWN, ids=lambda known: known.kind)
def test_decoding_returns_the_text(vocabulary: Vocabulary, text: str) -> None:
    tokens = vocabulary.encode(text)
    assert vocabulary.decode(tokens.tolist()) == text
    assert vocabulary.byte_counts()[tokens].sum() == len(text.encode())


@random_cases(100)
@given(st.text(CHARACTERS))
def test_decoding_returns_any_text(text: str) -> None:
    for vocabulary in KNOWN:
        tokens = vocabulary.encode(text)
        assert vocabulary.decode(tokens.tolist()) == text
        assert tokens.dtype == np.int32
        assert ((tokens >= 0) & (tokens < vocabulary.size)).all()


@pytest.mark.parametrize('vocabulary', KNOWN, ids=lambda known: known.kind)
@pytest.mark.parametrize('texts', [TEXTS, ['', ''], []])
def test_texts_in_one_array_are_padded_with_zeros(vocabulary: Vocabulary, texts: list[str]) -> None:
    tokens, lengths = vocabulary.encode_all(texts)
    assert (tokens.dtype, lengths.dtype) == (vocabulary.dtype, np.int32)
    assert tokens.shape == (len(texts), max(lengths.tolist(), default=0))
    for text, row, length in zip(texts, tokens, lengths, strict=True):
        assert vocabulary.decode(row[:length].tolist()) == text
        assert not row[length:].any()


def test_a_character_is_a_token_and_an_unknown_one_is_its_bytes() -> None:
    vocabulary = learned('characters', ['bac', 'é'])
    assert vocabulary.pieces[:5] == ('a', 'b', 'c', 'é', 0)
    assert vocabulary.size == 4 + 253
    assert vocabulary.encode('cabé').tolist() == [2, 0, 1, 3]
    assert [vocabulary.pieces[token] for token in vocabulary.encode('aß')] == ['a', *'ß'.encode()]


def test_subwords_are_those_of_sentencepiece() -> None:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(PROSE.split('\n')), model_writer=model, vocab_size=600, **subwords.OPTIONS
    )
    library = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [library.id_to_piece(token).replace('▁', ' ') for token in range(library.vocab_size())]
    # The library has a piece for what is unknown, and a character of ASCII twice: as a byte too.
    size = len(pieces) - 1 - sum(len(piece) == 1 and piece.isascii() for piece in pieces)
    line = 'A test uses the real thing on small data, not a mock.'
    vocabulary = learned('bpe', [PROSE], size)
    expected = [library.id_to_piece(token).replace('▁', ' ') for token in library.encode(line)]
    assert [vocabulary.pieces[token] for token in vocabulary.encode(line)] == expected
    assert len(expected) < len(line) / 2
    assert vocabulary.size == len(set(vocabulary.piece_bytes)) == size


@pytest.mark.parametrize('texts', [[''], ['\n\n'], ['▁▁'], ['a'], ['a' * 100_000]])
def test_subwords_of_texts_with_little_to_learn(texts: list[str]) -> None:
    vocabulary = learned('bpe', texts, 300)
    assert 256 <= vocabulary.size <= 300
    assert vocabulary.decode(vocabulary.encode(ODD).tolist()) == ODD


def test_too_few_subwords_are_refused() -> None:
    with pytest.raises(UserError, match=r'size = 20: .* more tokens than the 2\d\d for bytes and characters'):
        learned('bpe', [PROSE], 20)


def test_equal_texts_give_equal_vocabularies_and_other_texts_others() -> None:
    digests = [learned(kind, [PROSE], 400).sha256 for kind in KINDS for _ in range(2)]
    assert digests[::2] == digests[1::2]
    assert len({*digests, learned('bpe', [PROSE + PROSE[::-1]], 400).sha256}) == 4


@pytest.mark.parametrize('vocabulary', KNOWN, ids=lambda known: known.kind)
def test_files_and_notes_hold_the_whole_vocabulary(vocabulary: Vocabulary, tmp_path: Path) -> None:
    vocabulary.write(tmp_path)
    for other in (Vocabulary.read(tmp_path), Vocabulary.of({'vocabulary': vocabulary.notes()})):
        assert other == vocabulary
        assert other.sha256 == vocabulary.sha256
        assert other.encode(ODD).tolist() == vocabulary.encode(ODD).tolist()


def test_data_without_a_note_are_bytes() -> None:
    assert Vocabulary.of({}) == learned('bytes', [])


@pytest.mark.parametrize(
    'content', ['', '{}', '{"kind": "bytes", "pieces": [0, 0]}', '{"kind": "x", "pieces": []}', '[]']
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(content)
    with pytest.raises(UserError, match=r'vocabulary\.json is damaged: .* Delete'):
        Vocabulary.read(tmp_path)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UserError, match=r"no vocabulary 'byte'\. Did you mean 'bytes'"):
        learned('byte', ['a'])


@pytest.mark.parametrize(
    ('size', 'dtype'), [(256, 'uint8'), (257, 'uint16'), (65536, 'uint16'), (65537, 'int32')]
)
def test_tokens_take_the_smallest_dtype(size: int, dtype: str) -> None:
    assert Vocabulary('characters', tuple(range(size))).dtype == dtype


def test_sentencepiece_is_loaded_for_subwords_alone() -> None:
    program = (
        'import sys; from engine.datasets.text import vocabulary, text_file, options; '
        "vocabulary.learned('characters', ['a']).encode('a'); assert 'sentencepiece' not in sys.modules"
    )
    subprocess.run([sys.executable, '-c', program], check=True, cwd=REPOSITORY)
