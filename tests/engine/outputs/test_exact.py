"""Arrays of other dtypes are read as they are meant, or refused; a number never changes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.errors import UserError
from engine.outputs.exact import converted
from engine.outputs.kind import Field
from tests.engine.random_cases import random_cases

LABELS, NUMBERS, HALVES = (
    Field('int32', 'n', below='classes'),
    Field('float32', 'n'),
    Field('float32', 'n', also='float16'),
)
MASKS, IMAGES = Field('uint8', 'n', below='classes'), Field('uint8', 'n')


@pytest.mark.parametrize(
    ('array', 'field', 'dtype'),
    [
        (np.array([0, 5]), LABELS, 'int32'),
        (np.array([0, 5], np.uint64), LABELS, 'int32'),
        (np.array([0, 5.0]), LABELS, 'int32'),
        (np.array([False, True]), LABELS, 'int32'),
        (np.array([0, 255]), MASKS, 'uint8'),
        (np.array([0.0, 255]), MASKS, 'uint8'),
        (np.array([0, 255]), IMAGES, 'uint8'),
        (np.array([0.1, np.nan]), NUMBERS, 'float64'),
        (np.array([0.1, 0.2], np.float16), NUMBERS, 'float32'),
        (np.array([0.1, 0.2], np.float16), HALVES, 'float16'),
        (np.array([1, 2]), NUMBERS, 'float32'),
        (np.array([1, 2**24 + 1]), NUMBERS, 'float64'),
        (np.zeros(0, np.int64), LABELS, 'int32'),
    ],
)
def test_what_is_taken(array: np.ndarray, field: Field, dtype: str) -> None:
    result = converted('it', array, field)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize(
    ('array', 'field', 'message'),
    [
        (np.array([0, 2**31]), LABELS, 'labels.npy holds int64, but int32 is needed, and 2147483648 is not'),
        (np.array([1, 2**32 - 1], np.uint32), LABELS, 'and 4294967295 is not such a number'),
        (np.array([0, 0.5]), LABELS, 'holds float64, but int32 is needed, and 0.5 is not such a number'),
        (np.array([0, np.nan]), LABELS, 'and nan is not such a number'),
        (np.array([0, -1]), MASKS, 'and -1 is not such a number'),
        (np.array([0, 0.5]), IMAGES, 'holds float64, but uint8 is needed.'),
        (np.array([0, 1.0]), IMAGES, 'holds float64, but uint8 is needed.'),
        (np.array([False, True]), IMAGES, 'holds bool, but uint8 is needed.'),
        (np.array([0, 2**53 + 1]), NUMBERS, 'but float32 or float64 is needed, and 9007199254740993 is not'),
        (np.array([1j]), NUMBERS, 'holds complex128, but float32 or float64 is needed.'),
        (np.array(['1']), LABELS, 'but int32 is needed.'),
        (np.array([1], '>i4'), LABELS, 'holds >i4, but int32 is needed.'),
    ],
)
def test_what_is_refused(array: np.ndarray, field: Field, message: str) -> None:
    with pytest.raises(UserError, match=message):
        converted('labels.npy', array, field)


@random_cases(50)
@given(
    arrays(
        st.sampled_from([np.dtype(code) for code in '?bhilqBHILQefd']),
        st.integers(0, 3),
    ),
    st.sampled_from([LABELS, NUMBERS, HALVES, MASKS, IMAGES]),
)
def test_no_number_changes(array: np.ndarray, field: Field) -> None:
    try:
        result = converted('it', array, field)
    except UserError:
        return
    # Python compares integers and fractions exactly.
    for after, before in zip(result.tolist(), array.tolist(), strict=True):
        assert after == before or (math.isnan(after) and math.isnan(before))
