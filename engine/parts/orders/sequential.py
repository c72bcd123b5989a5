"""Training examples in their stored order."""

from dataclasses import dataclass

import numpy as np

from engine.datasets.orders.order import ByPart, Part
from engine.datasets.orders.streams import BlockStream


@dataclass(frozen=True)
class Sequential(ByPart):
    """Every example once in each epoch, always in the stored order.

    A batch may hold the last examples of an epoch and the first ones of the next.
    """

    def stream(self, part: Part, seed: int) -> BlockStream:
        """Returns the stream of the main part's examples."""
        order = np.arange(len(part.examples))
        return BlockStream(lambda _: order, len(order), part.batch_size)
