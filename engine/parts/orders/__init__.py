"""Orders of training examples that configs bind as `Trainer.order`."""

from engine.datasets.orders.order import Shuffled
from engine.parts.orders.balanced import Balanced
from engine.parts.orders.curriculum import Curriculum
from engine.parts.orders.sequential import Sequential
from engine.parts.orders.weighted import Weighted

__all__ = ['Balanced', 'Curriculum', 'Sequential', 'Shuffled', 'Weighted']
