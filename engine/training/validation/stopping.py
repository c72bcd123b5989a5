"""The protocol of early stopping, `Trainer.stop`. `engine/parts/stopping.py` implements it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Stop(Protocol):
    """A rule that ends a training before its last step: `Trainer.stop`.

    The decision depends on `val.jsonl` alone, so a run that resumes stops at the same step.
    """

    @property
    def metrics(self) -> Collection[str]:
        """The names of the metrics that the rule reads. Unknown names are refused before training."""
        ...

    def reason(self, evaluations: Sequence[Mapping[str, float]]) -> str:
        """Returns why the training stops after the last of these evaluations, '' if it does not.

        Args:
          evaluations: all evaluations so far, in their order: `step`, `epoch` and the metrics. Metrics that
            are not finite are NaN. Metrics of the first of several sets have their short names too, such as
            'loss' beside 'val/loss'.
        """
        ...


@dataclass(frozen=True)
class Ending:
    """How a training ended.

    Attributes:
      step: the last step.
      reason: why `Trainer.stop` stopped it there, '' if it did not.
    """

    step: int
    reason: str = ''
