"""Optimizers that configs bind, beside those of Optax: `optimizers.Groups` and `optimizers.Chained`."""

from engine.parts.optimizers.chained import Chained
from engine.parts.optimizers.groups import Groups

__all__ = ['Chained', 'Groups']
