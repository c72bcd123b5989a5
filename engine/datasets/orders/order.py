"""The protocols of orders: which examples of which part of the data form the batch of a step.

`Trainer.order` binds an `Order`. It is a pure function of the data, the seed, the step and the batch sizes,
so the step alone is the state of the input pipeline. The stream of batches has no end.

A dataset has one part, `MAIN`. `datasets.Named` adds others, each with its own examples and batch size.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from engine.datasets.orders.groups import grouped
from engine.datasets.orders.streams import Stream, part_key, shuffled
from engine.datasets.reading.dataset import Dataset, Examples
from engine.errors import UserError, kind_of

MAIN = ''  # the name of the part that is evaluated, and whose epochs count
SPLIT = 'train'
BOUND_METHODS = ('indices', 'epoch', 'ends_epoch')  # of bound orders, and of streams


@dataclass(frozen=True)
class Part:
    """A part of the training data.

    Attributes:
      dataset: where its examples are from.
      batch_size: examples per step, over all devices.
    """

    dataset: Dataset
    batch_size: int

    @cached_property
    def examples(self) -> Examples:
        """The examples of the training split."""
        return self.dataset.split(SPLIT)

    @property
    def title(self) -> str:
        """What messages call it, such as 'train of digits'."""
        return f'{SPLIT} of {self.dataset.name}'


class BoundOrder(Protocol):
    """An order that knows its data and its seed."""

    def indices(self, step: int) -> Mapping[str, np.ndarray]:
        """Returns the indices of the examples of a step, for each part int64 [its batch size]."""
        ...

    def epoch(self, steps: int) -> float:
        """Returns how many epochs `steps` steps make."""
        ...

    def ends_epoch(self, step: int) -> bool:
        """Whether the last of the first `step` steps completes an epoch."""
        ...


class Order(Protocol):
    """The order in which training sees examples. A config may bind yours."""

    def bind(self, parts: Mapping[str, Part], seed: int) -> BoundOrder:
        """Returns the order for some data.

        Args:
          parts: by name; `MAIN` is always there.
          seed: of the training.

        Raises:
          UserError: the data lack what the order needs.
        """
        ...

    # An order may also have:
    #   origin() -> {name of a file: its sha256} for each file that it reads, so that a run notices changes.


class ByPart(ABC):
    """An order that says how the main part is ordered. Other parts are shuffled."""

    @abstractmethod
    def stream(self, part: Part, seed: int) -> Stream:
        """Returns the stream of the main part's examples."""

    def origin(self) -> dict[str, str]:
        """Returns the sha256 of each file that the order reads, by its name."""
        return {}

    def bind(self, parts: Mapping[str, Part], seed: int) -> 'PartStreams':
        """Returns the streams of all parts.

        Raises:
          UserError: the main part is a mixture with weights, which state an order themselves; or the data
            lack what the order needs.
        """
        main = parts[MAIN]
        if main.examples.groups is not None:
            raise UserError(
                f'Trainer.order: {type(self).__name__} cannot order {main.dataset.name}, whose weights say '
                'already how often each member is drawn. Remove the weights of the mixture, or the order.'
            )
        stream = self.stream(main, seed)
        if not all(callable(getattr(stream, name, None)) for name in BOUND_METHODS):
            raise UserError(
                f'Trainer.order: {type(self).__name__}.stream() returns {kind_of(stream)}, but a `Stream` is '
                'needed, such as a `BlockStream`.'
            )
        others = {name: shuffled_part(name, part, seed) for name, part in parts.items() if name != MAIN}
        return PartStreams({MAIN: stream} | others)


@dataclass(frozen=True)
class PartStreams:
    """A bound order that draws each part from a stream of its own.

    Attributes:
      streams: by the name of the part.
    """

    streams: Mapping[str, Stream]

    def indices(self, step: int) -> dict[str, np.ndarray]:
        """Returns the indices of the examples of a step."""
        return {name: stream.indices(step) for name, stream in self.streams.items()}

    def epoch(self, steps: int) -> float:
        """Returns how many epochs of the main part `steps` steps make."""
        return self.streams[MAIN].epoch(steps)

    def ends_epoch(self, step: int) -> bool:
        """Whether the last of the first `step` steps completes an epoch of the main part."""
        return self.streams[MAIN].ends_epoch(step)


@dataclass(frozen=True)
class Shuffled:
    """Every example once in each epoch, in another random order each time. The default.

    The members of a weighted mixture are drawn in the proportions of their weights, each in this way.
    """

    def bind(self, parts: Mapping[str, Part], seed: int) -> PartStreams:
        """Returns the streams of all parts."""
        return PartStreams({name: shuffled_part(name, part, seed) for name, part in parts.items()})


def shuffled_part(name: str, part: Part, seed: int) -> Stream:
    """Returns the stream of a part that is shuffled, or drawn by the weights of its groups."""
    examples, key = part.examples, part_key(name)
    if examples.groups is None:
        return shuffled(len(examples), part.batch_size, seed, key)
    return grouped(examples.groups, np.asarray(examples.group_weights), part.batch_size, seed, key)
