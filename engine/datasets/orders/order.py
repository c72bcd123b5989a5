"""The protocols of orders: which examples of which part of the data form the batch of a step.

`Trainer.order` binds an `Order`. It is a pure function of the seed, the step and the batch sizes, so the step
alone is the state of the input pipeline. The stream of batches has no end.

A dataset has one part, `MAIN`. `datasets.Named` adds others, each with its own examples and batch size.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.datasets.orders.streams import Stream, grouped, part_key, shuffled
from engine.datasets.reading.dataset import Examples

MAIN = ''  # the name of the part that is evaluated, and whose epochs count


@dataclass(frozen=True)
class Part:
    """A part of the training data.

    Attributes:
      examples: of its training split.
      batch_size: examples per step, over all devices.
    """

    examples: Examples
    batch_size: int


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


class ByPart(ABC):
    """An order that says how the main part is ordered. Other parts are shuffled."""

    @abstractmethod
    def stream(self, examples: Examples, batch_size: int, seed: int) -> Stream:
        """Returns the stream of the main part's examples."""

    def bind(self, parts: Mapping[str, Part], seed: int) -> 'PartStreams':
        """Returns the streams of all parts."""
        return PartStreams(
            {
                name: _shuffled(part.examples, part.batch_size, seed, name)
                if name != MAIN
                else self.stream(part.examples, part.batch_size, seed)
                for name, part in parts.items()
            }
        )


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
class Shuffled(ByPart):
    """Every example once in each epoch, in another random order each time. The default.

    The members of a weighted mixture are drawn in the proportions of their weights, each in this way.
    """

    def stream(self, examples: Examples, batch_size: int, seed: int) -> Stream:
        """Returns the stream of the main part's examples."""
        return _shuffled(examples, batch_size, seed, MAIN)


def _shuffled(examples: Examples, batch_size: int, seed: int, part: str) -> Stream:
    key = part_key(part)
    if examples.groups is None:
        return shuffled(len(examples), batch_size, seed, key)
    return grouped(examples.groups, np.asarray(examples.group_weights), batch_size, seed, key)
