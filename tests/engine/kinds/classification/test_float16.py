"""All there are, against NumPy."""

import numpy as np

from engine.kinds.classification.float16 import widened

ALL = np.arange(2**16, dtype=np.uint16).view(np.float16)


def test_every_float16():
    result, expected = widened(ALL), ALL.astype(np.float32)
    finite = np.isfinite(expected)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result[finite].view(np.int32), expected[finite].view(np.int32))
    assert np.isinf(result[~finite]).all()
    np.testing.assert_array_equal(np.signbit(result), np.signbit(expected))


def test_any_layout_and_nothing_of_the_argument_changes():
    numbers = ALL.copy().reshape(256, 256)
    part = numbers[::3, 1::2]
    np.testing.assert_array_equal(widened(part)[:40], part[:40].astype(np.float32))
    np.testing.assert_array_equal(numbers.ravel().view(np.uint16), ALL.view(np.uint16))
