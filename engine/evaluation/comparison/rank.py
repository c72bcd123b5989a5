"""How a method compares with the best one."""

import math
from dataclasses import dataclass

from engine.evaluation.results.metric import Metric

SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True)
class Rank:
    """How a method compares with the best.

    Attributes:
      difference: its metric minus the best's, with an interval; None for the best itself.
      p: p-value of the paired bootstrap, corrected for the number of comparisons.
      mcnemar: p-value of McNemar's exact test, corrected likewise; None where the test does not apply.
      mark: 'best', 'tied' or ''.
    """

    difference: Metric | None = None
    p: float = math.nan
    mcnemar: float | None = None
    mark: str = ''
