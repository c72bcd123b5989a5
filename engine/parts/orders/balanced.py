"""Training examples of all classes equally often."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from engine.datasets.orders.groups import grouped
from engine.datasets.orders.order import ByPart, Part
from engine.datasets.orders.streams import BlockStream
from engine.errors import UserError
from engine.parts.orders import fields
from engine.runs.text_log import logger

MAX_NAMED = 5  # classes that a line of the log names


@dataclass(frozen=True)
class Balanced(ByPart):
    """Draws all classes equally often, however many examples they have.

    The examples of a class take turns. A class without training examples is left out; the log names it. An
    epoch has as many draws as there are examples.

    Args:
      field: the field of the classes, a whole number per example. Other groups than classes do too, such as
        patients or domains.
      power: draws a class of n examples in proportion to n ** power. 0 draws all classes equally often,
        0.5 by the square root of their size (Mahajan et al. 2018, "Exploring the Limits of Weakly Supervised
        Pretraining", https://arxiv.org/abs/1805.00932), 1 as often as the data hold them.
    """

    field: str = 'label'
    power: float = 0.0

    def __post_init__(self) -> None:
        """Raises `UserError` if the power is out of its range."""
        if not 0 <= self.power <= 1:
            raise UserError(f'Balanced.power = {self.power}: it must be from 0 (all classes alike) to 1.')

    def stream(self, part: Part, seed: int) -> BlockStream:
        """Returns the stream of the main part's examples."""
        labels = fields.one_per_example(part, self.field, 'Balanced.field', kinds='iub')
        names = part.dataset.spec.class_names.get(self.field, ())
        if names and (labels < 0).any():
            first = part.examples.ids[int(np.argmax(labels < 0))]
            raise UserError(
                f'Balanced.field = {self.field!r}: {first!r} of {part.title} has no class. Leave such '
                'examples out of this split.'
            )
        present, groups, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        _say_what_is_missing(part, names, set(present.tolist()))
        return grouped(groups, sizes.astype(np.float64) ** self.power, part.batch_size, seed)


def _say_what_is_missing(part: Part, names: Sequence[str], present: Collection[int]) -> None:
    """Names the classes without examples in the log."""
    missing = [name for index, name in enumerate(names) if index not in present]
    if missing:
        more = f' and {len(missing) - MAX_NAMED} more' if len(missing) > MAX_NAMED else ''
        named = f'{", ".join(map(repr, missing[:MAX_NAMED]))}{more}'
        left_out = f'{len(missing)} of {len(names)} classes have no example in {part.title}'
        logger.info('Balanced: %s and are never drawn: %s.', left_out, named)
