"""Training examples in proportion to weights."""

from dataclasses import dataclass

import numpy as np

from engine.datasets.orders.groups import grouped
from engine.datasets.orders.order import ByPart, Part
from engine.datasets.orders.streams import BlockStream
from engine.errors import UserError
from engine.parts.orders.numbers import Numbers
from engine.runs.text_log import logger


@dataclass(frozen=True)
class Weighted(ByPart):
    """Draws each example in proportion to its weight, from a field of the data or from a list.

    An example with twice the weight of another is drawn twice as often. Drawing is low-variance: the counts
    of draws follow the weights far more closely than those of independent draws. Examples with equal weights
    take turns, so that with equal weights alone this is `Shuffled`. As there, an epoch has as many draws as
    there are examples.

    Args:
      field: the field of the weights, one number per example; '' if `file` is given.
      file: a list, such as CSV, with the columns `id` and `weight`. Its path is absolute or relative to the
        repository. It names each training example once. Examples of other splits do not count.
    """

    field: str = ''
    file: str = ''

    def __post_init__(self) -> None:
        """Raises `UserError` unless either a field or a list is given."""
        _ = self._weights

    @property
    def _weights(self) -> Numbers:
        return Numbers('Weighted', 'weight', self.field, self.file, least=0.0)

    def origin(self) -> dict[str, str]:
        """Returns the sha256 of the list."""
        return self._weights.origin()

    def stream(self, part: Part, seed: int) -> BlockStream:
        """Returns the stream of the main part's examples."""
        weights = self._weights.of(part)
        if not weights.any():
            raise UserError(f'{self._weights.source}: all weights of {part.title} are 0. Raise some of them.')
        if never := int((weights == 0).sum()):
            drawn = f'{never:,} of {len(weights):,} examples of {part.title}'
            logger.info('Weighted: %s have the weight 0 and are never drawn.', drawn)
        distinct, groups, sizes = np.unique(weights, return_inverse=True, return_counts=True)
        return grouped(groups, distinct / distinct.max() * sizes, part.batch_size, seed)
