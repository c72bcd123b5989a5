"""One batch, learned by heart: what several checks look at, trained for once."""

from dataclasses import dataclass
from functools import lru_cache

from engine.checks.agreement import agreement
from engine.checks.subject import LOSS, Arrays, Subject, all_valid
from engine.interfaces import State

STEPS = 400  # at most
EVERY = 20  # steps between looks at how well the batch is known
RIGHT = 0.95  # share predicted right: not all, for examples may contradict each other
# Of the first loss: label smoothing of 0.1 leaves 0.28 of it at most, a second softmax 0.45 and more.
FALLEN = 1 / 3


@dataclass(frozen=True)
class Look:
    """How well a batch is known after some steps: its loss in evaluation, and the share predicted right."""

    step: int
    loss: float
    right: float | None


@dataclass(frozen=True)
class Memory:
    """A batch learned by heart.

    Attributes:
      batch: that batch, as evaluation is given one.
      state: after the last step.
      losses: in training, of each step.
      looks: at it in evaluation, from step 0 on.
    """

    batch: Arrays
    state: State
    losses: list[float]
    looks: list[Look]

    @property
    def last(self) -> Look:
        """The last look."""
        return self.looks[-1]

    @property
    def is_known(self) -> bool:
        """Whether the loss has fallen and the truth is predicted."""
        known = self.last.right is None or self.last.right >= RIGHT
        return known and self.last.loss <= FALLEN * self.looks[0].loss


@lru_cache(maxsize=1)  # the checks of one experiment come one after the other
def memory(subject: Subject) -> Memory:
    """Trains on the first batch until it is known, or for as long as that may take.

    A task without 'loss' is trained for a few steps, so that its state is no longer the first one.
    """
    batch = subject.experiment.batch(0)
    steps = STEPS if subject.has_loss() else EVERY
    found = Memory(all_valid(batch), subject.first, [], [])
    found.looks.append(_look(subject, found, 0))
    for step, (state, metrics) in enumerate(subject.train([batch] * steps, subject.rates(steps)), start=1):
        found = Memory(found.batch, state, [*found.losses, metrics.get(LOSS, float('nan'))], found.looks)
        if step % EVERY == 0:
            found.looks.append(_look(subject, found, step))
            if found.is_known:
                break
    return found


def _look(subject: Subject, known: Memory, step: int) -> Look:
    loss = subject.loss(known.state, [known.batch]) if subject.has_loss() else float('nan')
    right = agreement(subject.description, subject.predict(known.state, known.batch), known.batch)
    return Look(step, loss, right)
