"""An order, an observer and a task that are slow on purpose."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.datasets.orders.order import BoundOrder, Shuffled
from engine.training.observers.observer import Observer

SECONDS = 0.03


class SlowOrder(Shuffled):
    """Takes its time for the indices of each step."""

    def bind(self, parts: Any, seed: int) -> Any:
        """Returns an order whose indices are slow."""
        return _Slow(super().bind(parts, seed))


@dataclass
class _Slow:
    order: BoundOrder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.order, name)

    def indices(self, step: int) -> Mapping[str, np.ndarray]:
        time.sleep(SECONDS)
        return self.order.indices(step)


class SlowObserver(Observer):
    """Takes its time for each line of the log."""

    def on_steps(self, steps: np.ndarray, metrics: Mapping[str, np.ndarray]) -> None:
        """Sleeps for each step."""
        time.sleep(SECONDS * len(steps))
