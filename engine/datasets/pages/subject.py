"""A dataset as a page sees it: which fields are of which kind, and which examples it looks at."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.datasets.reading.dataset import Dataset, Examples

MEASURED = 2000  # examples of a split that statistics take in, evenly spaced over it
IDENTITY = 'id'


@dataclass(frozen=True)
class Subject:
    """A dataset to be shown.

    Attributes:
      dataset: it.
      kinds: the kind of feature of each field, such as `ClassLabel`.
    """

    dataset: Dataset
    kinds: dict[str, str]

    @cached_property
    def splits(self) -> dict[str, Examples]:
        """The examples of each split."""
        return {split: self.dataset.split(split) for split in self.dataset.splits}

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.dataset.spec.class_names

    def field(self, kind: str) -> str | None:
        """Returns the first field of a kind of feature, None if there is none."""
        return next((name for name, each in self.kinds.items() if each == kind), None)

    @property
    def is_text(self) -> bool:
        """Whether its examples are texts: `text` and `length`."""
        return {'text', 'length'} <= self.dataset.spec.example.keys()

    @property
    def numbers(self) -> list[str]:
        """The fields that are just numbers: no image, label, box or text."""
        special = {'boxes', 'classes'} if 'boxes' in self.dataset.spec.example else set()
        special |= {'text', 'length'} if self.is_text else set()
        plain = ('Tensor', 'Scalar')
        return [name for name, kind in self.kinds.items() if kind in plain and name not in special]

    def sampled(self, split: str) -> Iterator[dict[str, np.ndarray]]:
        """Yields the examples of a split that statistics take in."""
        examples = self.splits[split]
        for place in spread(len(examples), MEASURED):
            yield examples.whole(int(place))

    @property
    def is_sampled(self) -> bool:
        """Whether statistics leave out some examples."""
        return any(count > MEASURED for count in self.dataset.splits.values())


def spread(count: int, most: int) -> np.ndarray:
    """Returns at most `most` of the places 0 to `count` - 1, evenly spaced."""
    return (
        np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))
        if count
        else np.empty(0, int)
    )
