"""A task whose learning rate the checks choose."""

import dataclasses
from typing import Any

import jax
import numpy as np

from engine.interfaces import Batch, BoundTask, Metrics, Spec, State, Task

RATE, EMA_DECAY = 'learning_rate', 'ema_decay'


class TunableTask:
    """A task whose learning rate is an argument of each step, if the task is a dataclass with that field.

    A schedule for a whole training is of no use in the few steps of a check, where it may still warm up. A
    moving average of the parameters (a field `ema_decay`) would still hold the first ones, so it is off.

    Args:
      task: the task of the config.
      spec: the spec of the data.
      steps: the number of steps of the whole training.
    """

    def __init__(self, task: Task, spec: Spec, steps: int):
        self._task, self._spec = task, spec
        fields = (
            {field.name for field in dataclasses.fields(task)} if dataclasses.is_dataclass(task) else set()
        )
        self._changes = {EMA_DECAY: 0.0} if isinstance(getattr(task, EMA_DECAY, None), float) else {}
        rate = getattr(task, RATE) if RATE in fields else None
        self.highest_rate = None if rate is None else _highest(rate, steps)
        self.bound = self._bind(0.0)

    def _bind(self, rate: Any) -> BoundTask:
        if self.highest_rate is None:
            return self._task.bind(self._spec)
        changes = self._changes | {RATE: lambda _: rate}
        return dataclasses.replace(self._task, **changes).bind(self._spec)  # type: ignore[type-var]

    def update(self, state: State, batch: Batch, key: jax.Array, rate: Any) -> tuple[State, Metrics]:
        """Runs one training step at a learning rate. A task without that field keeps its own rate."""
        return self._bind(rate).update(state, batch, key)


def _highest(rate: Any, steps: int) -> float:
    """Returns the highest learning rate of a training."""
    if not callable(rate):
        return float(rate)
    sampled = np.unique(np.linspace(0, steps, 200).astype(int))
    return max(float(np.asarray(rate(int(step)))) for step in sampled)
