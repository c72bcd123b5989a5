"""The dataset that a page shows: the kinds of its fields, and the examples that the page samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.datasets.reading.dataset import Dataset, Examples

MAX_SAMPLES = 2000  # examples of a split that enter statistics, evenly spaced over it


@dataclass(frozen=True)
class ShownDataset:
    """A dataset that a page shows.

    Attributes:
      data: the dataset.
      kinds: the class of TFDS of each field's feature, such as `ClassLabel`.
    """

    data: Dataset
    kinds: dict[str, str]

    @cached_property
    def splits(self) -> dict[str, Examples]:
        """The examples of each split."""
        return {split: self.data.split(split) for split in self.data.splits}

    def classes(self, field: str | None) -> tuple[str, ...]:
        """Returns the names of the classes of a field, () if it has none."""
        return tuple(self.data.spec.class_names.get(field or '', ()))

    @property
    def shown_classes(self) -> tuple[str, ...]:
        """The names of the classes whose colours masks and boxes have."""
        return self.classes(self.field('LabeledImage')) or self.classes('classes')

    def field(self, kind: str) -> str | None:
        """Returns the first field of a kind, None if there is none."""
        return next((name for name, other in self.kinds.items() if other == kind), None)

    @property
    def has_boxes(self) -> bool:
        """Whether the examples have bounding boxes."""
        return 'boxes' in self.data.spec.example

    @property
    def is_text(self) -> bool:
        """Whether the examples are texts, with the fields `text` and `length`."""
        return {'text', 'length'} <= self.data.spec.example.keys()

    @property
    def numbers(self) -> list[str]:
        """The fields of plain numbers, which are not images, labels, boxes or texts."""
        special = {'boxes', 'classes'} if self.has_boxes else set()
        special |= {'text', 'length'} if self.is_text else set()
        plain = ('Tensor', 'Scalar')
        return [name for name, kind in self.kinds.items() if kind in plain and name not in special]

    def sampled(self, split: str) -> Iterator[dict[str, np.ndarray]]:
        """Yields the examples of a split that enter statistics."""
        examples = self.splits[split]
        for index in spread(len(examples), MAX_SAMPLES):
            yield examples.whole(int(index))

    @property
    def is_sampled(self) -> bool:
        """Whether statistics leave out some examples."""
        return any(count > MAX_SAMPLES for count in self.data.splits.values())


def spread(count: int, maximum: int) -> np.ndarray:
    """Returns at most `maximum` of the indices 0 to `count` - 1, evenly spaced, int [n].

    >>> spread(101, 3).tolist()
    [0, 50, 100]
    """
    if not count:
        return np.empty(0, int)
    return np.unique(np.linspace(0, count - 1, min(count, maximum)).round().astype(int))
