"""Says what is due after each step: an evaluation, a checkpoint, pictures. The config decides, never a clock.

A run that resumes therefore meets the same events at the same steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Events:
    """Tells what is due after a step, from step 0, before training, to the last one.

    Args:
      steps: number of steps of the whole training. After the last one, everything is due.
      ends_epoch: tells whether a step completes an epoch.
      evaluate_every: steps between evaluations; None evaluates at the end of each epoch.
      save_every: steps between the checkpoints that a run resumes from.
      keep_every: steps between the checkpoints that are never deleted; None: there are none.
      pictures_every: steps between pictures, from step 0 on; None makes none.
      steps_per_dispatch: steps that one call of the device runs.
      starts_trained: whether the run starts from trained parameters. They are evaluated and saved at step 0.
    """

    steps: int
    ends_epoch: Callable[[int], bool]
    evaluate_every: int | None = None
    save_every: int = 100
    keep_every: int | None = None
    pictures_every: int | None = None
    steps_per_dispatch: int = 1
    starts_trained: bool = False
    # How far `_last_due` has searched, and the last step it found after which something is due.
    _searched: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)], init=False, compare=False)

    def evaluates_at(self, step: int) -> bool:
        """Whether the validation sets are evaluated after a step."""
        if self.evaluate_every is None:
            return self._is_end(step) or (step > 0 and self.ends_epoch(step))
        return self._is_end(step) or (step > 0 and step % self.evaluate_every == 0)

    def saves_at(self, step: int) -> bool:
        """Whether the state is saved after a step."""
        is_multiple = step % self.save_every == 0 or _is_multiple(step, self.keep_every)
        return self._is_end(step) or (step > 0 and is_multiple)

    def pictures_at(self, step: int) -> bool:
        """Whether the task makes pictures after a step."""
        is_last = self.pictures_every is not None and step == self.steps
        return is_last or _is_multiple(step, self.pictures_every)

    def group(self, step: int) -> int:
        """Returns how many steps the call after a step runs: a group if nothing is due inside it, else one.

        Groups begin after each step at which something is due, and follow one another. So the config alone
        decides where they begin, wherever a run was interrupted. After the last step, there is no call.
        """
        if step >= self.steps:
            return 0
        size = self.steps_per_dispatch
        begins = size > 1 and (step - self._last_due(step)) % size == 0 and step + size <= self.steps
        return size if begins and not any(map(self._is_due, range(step + 1, step + size))) else 1

    def _last_due(self, step: int) -> int:
        """Returns the last step, up to a step, after which something is due; 0 if there is none."""
        searched, last = self._searched[0] if self._searched[0][0] <= step else (0, 0)
        last = max(filter(self._is_due, range(searched + 1, step + 1)), default=last)
        self._searched[0] = step, last
        return last

    def _is_due(self, step: int) -> bool:
        return self.evaluates_at(step) or self.saves_at(step) or self.pictures_at(step)

    def _is_end(self, step: int) -> bool:
        """Whether the training is over, or starts from trained parameters at step 0."""
        return step == self.steps or (step == 0 and self.starts_trained)


def _is_multiple(step: int, interval: int | None) -> bool:
    return interval is not None and step % interval == 0
