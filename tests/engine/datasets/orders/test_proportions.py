"""How often groups are drawn, against a loop over blocks in exact fractions."""

from fractions import Fraction
from math import floor, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.datasets.orders.proportions import BITS, Proportions
from tests.engine.random_cases import random_cases


def van_der_corput(block: int) -> Fraction:
    """The slow way: the binary digits of a number, mirrored at the point."""
    digits = f'{block:b}'[::-1]
    return sum((Fraction(int(digit), 2 ** (place + 1)) for place, digit in enumerate(digits)), Fraction(0))


def drawn_in(block: int, weights: list[int], length: int, shift: Fraction) -> list[int]:
    """The slow way: the whole numbers, moved by the offset of the block, on the share of each group."""
    offset, end, counts = van_der_corput(block) + shift, Fraction(0), []
    for weight in weights:
        start, end = end, end + Fraction(weight * length, sum(weights))
        counts.append(floor(end + offset) - floor(start + offset))
    return counts


@random_cases(60)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=6),
    st.integers(1, 40),
    st.integers(0, 2**BITS - 1),
    st.integers(0, 40),
)
def test_draws_are_those_of_a_loop_over_blocks(
    weights: list[int], length: int, shift: int, blocks: int
) -> None:
    weights = [*weights, 2 ** max(1, (sum(weights)).bit_length()) - sum(weights)]  # shares without rounding
    proportions = Proportions(np.array(weights, np.float64), length, shift / 2**BITS)
    expected = np.zeros(len(weights), np.int64)
    for block in range(blocks):
        expected += drawn_in(block, weights, length, Fraction(shift, 2**BITS))
    assert proportions.draws_before(blocks).tolist() == expected.tolist()


@pytest.mark.parametrize('block', [1, 63, 2**20 + 5, 2**BITS - 1, 2**BITS, 2**BITS + 1, 3 * 2**BITS + 77])
@pytest.mark.parametrize('scale', [1e-300, 1.0, 1e300])
def test_no_draws_are_lost_and_errors_do_not_add_up(block: int, scale: float) -> None:
    weights = np.random.default_rng(0).exponential(size=50) ** 3
    proportions = Proportions(weights * scale, 1000, 0.3)
    drawn = proportions.draws_before(block)
    expected = weights / weights.sum() * 1000 * block
    assert drawn.sum() == 1000 * block
    assert np.abs(drawn - expected).max() < 2 + 2 / 3 * log2(block) + block * 2.0 ** (1 - BITS)
    assert (proportions.draws_before(block + 1) >= drawn).all()


def test_a_group_without_weight_is_never_drawn() -> None:
    for weights in ([0.0, 1.0, 0.0, 0.3, 0.0], [0.0, 5.0], [5.0, 0.0]):
        drawn = Proportions(np.array(weights), 7, 0.999).draws_before(1_000_003)
        assert (drawn > 0).tolist() == [weight > 0 for weight in weights]
