"""The result of training on one batch until the network has memorised it. Several checks use it."""

from dataclasses import dataclass
from typing import Any

from engine.interfaces import State

MAX_STEPS = 400
EVALUATE_EVERY = 20  # steps
MIN_AGREEMENT = 0.95  # less than 1, because examples may contradict each other
# The loss must fall to this share of the first loss. Label smoothing of 0.1 leaves at most 0.28 of it, and a
# second softmax 0.45 or more.
MAX_LOSS_SHARE = 1 / 3


@dataclass(frozen=True)
class BatchEvaluation:
    """Loss and agreement of the memorised batch, evaluated after some steps."""

    step: int
    loss: float
    agreement: float | None


@dataclass(frozen=True)
class Memorisation:
    """A training on one batch.

    Attributes:
      batch: the batch, with the fields that evaluation needs.
      state: the state after the last step.
      losses: the training loss of each step.
      evaluations: evaluations of the batch, from step 0 on.
    """

    batch: dict[str, Any]
    state: State
    losses: list[float]
    evaluations: list[BatchEvaluation]

    @property
    def last(self) -> BatchEvaluation:
        """The last evaluation."""
        return self.evaluations[-1]

    @property
    def is_complete(self) -> bool:
        """Whether the loss has fallen and the predictions match the targets."""
        agrees = self.last.agreement is None or self.last.agreement >= MIN_AGREEMENT
        return agrees and self.last.loss <= MAX_LOSS_SHARE * self.evaluations[0].loss
