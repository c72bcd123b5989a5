"""Early stopping: ends a training that no longer improves. Bind it as `Trainer.stop`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.errors import UserError


@dataclass(frozen=True)
class Patience:
    """Stops after a number of evaluations in a row without a new best value.

    >>> losses = [{'loss': loss} for loss in (1.0, 0.5, 0.6, 0.55)]
    >>> Patience(evaluations=2).reason(losses)
    'no better val loss in 2 evaluations'
    >>> Patience(evaluations=3).reason(losses)
    ''

    Early stopping after Prechelt 1998, "Early Stopping - But When?", with a fixed patience.

    Args:
      metric: name of a metric in `val.jsonl`. With several sets, 'loss' is that of the first set, and
        'test/loss' that of the set `test`.
      evaluations: number of evaluations in a row without a new best value after which the training stops.
      direction: whether lower ('min') or higher ('max') values are better.
      min_change: a value counts as better only if it is better by more than this.
    """

    metric: str = 'loss'
    evaluations: int = 5
    direction: Literal['min', 'max'] = 'min'
    min_change: float = 0.0

    def __post_init__(self) -> None:
        """Raises `UserError` if a number is out of its range."""
        if self.evaluations < 1:
            raise UserError(f'Patience.evaluations = {self.evaluations}: it must be at least 1.')
        if not 0 <= self.min_change < math.inf:
            raise UserError(f'Patience.min_change = {self.min_change}: it must be at least 0.')

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics that the rule reads: one."""
        return (self.metric,)

    def reason(self, evaluations: Sequence[Mapping[str, float]]) -> str:
        """Returns why the training stops after these evaluations, '' if it does not.

        Args:
          evaluations: the metrics of all evaluations so far, in their order. NaN is never better.
        """
        best, waited = math.nan, 0
        for evaluation in evaluations:
            value = evaluation.get(self.metric, math.nan)
            if self._is_better(value, best):
                best, waited = value, 0
            else:
                waited += 1
        return self._text() if waited >= self.evaluations else ''

    def _is_better(self, value: float, best: float) -> bool:
        gain = best - value if self.direction == 'min' else value - best
        return not math.isnan(value) and (math.isnan(best) or gain > self.min_change)

    def _text(self) -> str:
        name = self.metric if '/' in self.metric else f'val {self.metric}'
        return f'no better {name} in {self.evaluations} evaluation{"s" if self.evaluations > 1 else ""}'
