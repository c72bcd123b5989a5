"""Dataset expressions that configs bind: `datasets.Mixture`, `Named`, `Fold` and `First`."""

from engine.parts.datasets.first import First
from engine.parts.datasets.fold import Fold
from engine.parts.datasets.mixture import Mixture
from engine.parts.datasets.named import Named

__all__ = ['First', 'Fold', 'Mixture', 'Named']
