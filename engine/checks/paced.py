"""A task at a pace that the checks choose: its learning rate an argument, and nothing that lags behind."""

import dataclasses
from typing import Any

import jax
import numpy as np

from engine.interfaces import Batch, BoundTask, Metrics, Spec, State, Task

RATE, EMA_DECAY = 'learning_rate', 'ema_decay'


class Paced:
    """A task whose learning rate is an argument of each step, where the task is a dataclass with that field.

    A schedule made for a whole training says little in the few steps of a check: it may still be warming up.
    Likewise, a moving average of the parameters (a field `ema_decay`) would still hold the first ones; it is
    off.

    Args:
      task: as the config has it.
      spec: of the data.
      steps: of the whole training.
    """

    def __init__(self, task: Task, spec: Spec, steps: int):
        self._task, self._spec = task, spec
        fields = {each.name for each in dataclasses.fields(task)} if dataclasses.is_dataclass(task) else set()
        self._changes = {EMA_DECAY: 0.0} if isinstance(getattr(task, EMA_DECAY, None), float) else {}
        self.rate = _highest(getattr(task, RATE), steps) if RATE in fields else None
        self.bound = self._bind(0.0)

    def _bind(self, rate: Any) -> BoundTask:
        if self.rate is None:
            return self._task.bind(self._spec)
        changes = self._changes | {RATE: lambda _: rate}
        return dataclasses.replace(self._task, **changes).bind(self._spec)  # type: ignore[type-var]

    def update(self, state: State, batch: Batch, key: jax.Array, rate: Any) -> tuple[State, Metrics]:
        """Returns the state after one step at a learning rate; a task without one goes at its own."""
        return self._bind(rate).update(state, batch, key)


def _highest(rate: Any, steps: int) -> float:
    """Returns the highest learning rate of a training."""
    if not callable(rate):
        return float(rate)
    places = np.unique(np.linspace(0, steps, 200).astype(int))
    return max(float(np.asarray(rate(int(step)))) for step in places)
