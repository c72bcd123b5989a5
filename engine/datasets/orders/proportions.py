"""How often each of several groups is drawn, in proportion to weights.

Each block holds a whole number of draws of each group, though its share need not be whole. Systematic
sampling rounds the shares: the shares of all groups are laid end to end on a line, and each whole number on
it, moved by an offset, draws the group where it lies. The offsets of successive blocks are van der Corput's
sequence, which fills the unit interval evenly, so that the errors of rounding do not add up: after any number
of blocks, the draws of a group differ from its share by at most 2 + 2/3 log2(blocks).

Sources: Madow 1949, "On the Theory of Systematic Sampling, II"; Niederreiter 1992, "Random Number Generation
and Quasi-Monte Carlo Methods", theorem 3.6.
"""

import numpy as np

BITS = 30  # behind the point of shares and offsets, so that products stay below 2**63
ONE = 1 << BITS


class Proportions:
    """The number of draws of each group in each block.

    >>> halves = Proportions(np.array([1.0, 1.0]), length=3)
    >>> [halves.draws_before(block).tolist() for block in range(4)]
    [[0, 0], [1, 2], [3, 3], [4, 5]]

    Args:
      weights: proportion of each group, f64 [groups], finite, at least one of them positive.
      length: draws per block.
      shift: added to all offsets, 0 to 1.
    """

    def __init__(self, weights: np.ndarray, length: int, shift: float = 0.0):
        ends = np.cumsum(weights / weights.max())
        fixed_point = np.rint(ends / ends[-1] * (length * ONE)).astype(np.int64)
        self._ends, self._shift = np.concatenate([[0], fixed_point]), int(shift * ONE)

    def draws_before(self, block: int) -> np.ndarray:
        """Returns how often each group is drawn in all blocks before one, int64 [groups].

        The offsets of 2**k successive blocks from a multiple of 2**k on are evenly spaced. Hermite's identity
        gives the sum over them at once: floor(x) + floor(x + 1/m) + ... + floor(x + (m-1)/m) = floor(m * x).
        """
        whole, fraction = self._ends >> BITS, self._ends & (ONE - 1)
        periods, rest = divmod(block, ONE)
        draws, offset = periods * self._ends, self._shift
        for k in reversed(range(rest.bit_length())):
            if rest >> k & 1:
                draws += (whole << k) + ((fraction + offset) << k >> BITS)
                offset += ONE >> (k + 1)
        return np.diff(draws)
