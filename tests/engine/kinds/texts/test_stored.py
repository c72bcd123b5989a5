"""Texts as arrays and back, and the texts of token ids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import outputs
from engine.errors import UserError
from engine.kinds.texts import KIND, labels, pack_tokens, references, stored
from engine.outputs import subset
from engine.outputs.check_arrays import packed as packed_by_kind
from tests.engine.random_cases import random_cases

TEXTS = st.lists(
    st.text(max_size=8) | st.sampled_from(['', '\n', 'a\0', '👩‍👩‍👧', '\ufeff', '\r\n']),
    min_size=1,
    max_size=6,
)


@random_cases(30)
@given(TEXTS)
def test_every_text_comes_back(texts: list[str]) -> None:
    data, lengths = stored.store(texts)
    assert stored.restore(data, lengths) == texts
    assert [stored.one(data, lengths, index) for index in range(len(texts))] == texts


@random_cases(20)
@given(TEXTS, st.data())
def test_selections_take_texts_and_references_along(texts: list[str], draw: st.DataObject) -> None:
    given_texts = [[f'{text}{k}' for k in range(len(text) % 3)] for text in texts]
    data, lengths = stored.store(texts)
    arrays = {'texts': data, 'text_lengths': lengths, **labels.arrays(given_texts)}
    ids = [f'{row}' for row in range(len(texts))]
    rows = draw.draw(st.lists(st.integers(0, len(texts) - 1), max_size=9))
    known = outputs.Outputs(None, outputs.Manifest('texts'), tuple(ids), arrays)  # type: ignore[arg-type]
    taken = subset.take(known, np.array(rows, int))
    assert stored.restore(taken.arrays['texts'], taken.arrays['text_lengths']) == [texts[row] for row in rows]
    assert references(taken.arrays, len(rows)) == [given_texts[row] for row in rows]


def test_bytes_that_are_no_text_are_kept() -> None:
    data, lengths = stored.store([b'\xff\xc3', '\udcff', '\ud800'])
    assert (data.tobytes(), lengths.tolist()) == (b'\xff\xc3\xff?', [2, 1, 1])
    assert stored.restore(data, lengths) == ['\ufffd\ufffd', '\ufffd', '?']


def test_tokens_become_texts_by_a_vocabulary() -> None:
    words = ['<end>', 'the', ' cat', ' 猫']
    arrays = {
        'text_tokens': np.array([[1, 2, 0], [3, 3, 3]], np.int32),
        'text_counts': np.array([2, 0]),
        'reference_tokens': np.array([[[1, 3], [2, 2]], [[1, 1], [0, 0]]], np.int16),
        'reference_counts': np.array([[2, 1], [1, -1]]),
        'loss': np.zeros(2),
    }
    packed = pack_tokens(arrays, lambda ids: ''.join(words[token] for token in ids))
    assert stored.restore(packed['texts'], packed['text_lengths']) == ['the cat', '']
    assert references(packed, 2) == [['the 猫', ' cat'], ['the']]
    assert packed.keys() == {
        *('texts', 'text_lengths', 'references', 'reference_lengths', 'reference_example', 'loss')
    }
    assert packed_by_kind(KIND, arrays, ['a', 'b'], lambda ids: 'x')['texts'].tobytes() == b'xx'


def test_a_split_without_references_has_none() -> None:
    """Counts that are all -1 say so, and the engine leaves them out."""
    tokens = np.frombuffer(b'abcd', np.uint8).reshape(2, 2)
    arrays = {'text_tokens': tokens, 'text_counts': np.array([2, 1]), 'reference_tokens': tokens}
    assert pack_tokens(arrays, None).keys() == {'texts', 'text_lengths'}


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'text_counts': np.array([3, 0])}, 'the counts of text_tokens are from 0 to 3'),
        ({'text_counts': np.array([-1, 0])}, 'are from -1 to 0'),
        ({'text_tokens': np.full((2, 2), 300)}, 'text_tokens holds 300, which is not a byte'),
        ({'text_tokens': np.zeros((2, 2))}, 'text_tokens is float64'),
        ({'text_tokens': np.zeros(2, int)}, r'text_tokens is int64 \[2\]'),
        ({'reference_tokens': np.zeros((2, 2), int), 'reference_counts': np.zeros((2, 2))}, r'\[n, k, L\]'),
    ],
)
def test_what_is_no_text_is_refused(changed: dict[str, np.ndarray], words: str) -> None:
    arrays = {'text_tokens': np.zeros((2, 2), np.uint8), 'text_counts': np.array([1, 2])}
    with pytest.raises(UserError, match=words):
        pack_tokens(arrays | changed, None)


def test_tokens_without_counts_are_refused() -> None:
    with pytest.raises(UserError, match='no text_counts'):
        pack_tokens({'text_tokens': np.zeros((2, 2), np.uint8)}, None)
