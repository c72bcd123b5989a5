"""The examples of a task that makes its own data: `Trainer.dataset = None`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.datasets.catalogue.names import NO_DATASET
from engine.datasets.orders.order import MAIN, Part
from engine.datasets.reading.dataset import Dataset, Examples
from engine.interfaces import Spec

SPLITS = ('train', 'val', 'test')


def no_dataset(samples: int) -> Dataset:
    """Returns a dataset whose examples have no fields. Their index tells them apart.

    Args:
      samples: number of examples of each split. The `index` of those of test follows that of those of val.
    """
    starts = {'train': 0, 'val': 0, 'test': samples}

    def make(split: str) -> Examples:
        ids = [f'{starts[split] + row:08d}' for row in range(samples)]
        return Examples(ids, {}, first_index=starts[split])

    return Dataset(
        name=NO_DATASET,
        version='',
        fingerprint=hashlib.sha256(f'{NO_DATASET} {samples}'.encode()).hexdigest(),
        spec=Spec({}),
        splits=dict.fromkeys(SPLITS, samples),
        make=make,
    )


@dataclass(frozen=True)
class EndlessOrder:
    """The order of training without a dataset: there are no examples to order, and no epochs.

    Attributes:
      samples: number of examples of each split.
      batch_size: examples per step.
    """

    samples: int
    batch_size: int

    @classmethod
    def bind(cls, parts: Mapping[str, Part], seed: int) -> 'EndlessOrder':
        """Returns the order for the only part."""
        del seed
        return cls(len(parts[MAIN].examples), parts[MAIN].batch_size)

    def indices(self, step: int) -> dict[str, np.ndarray]:
        """Returns indices of examples without fields; each step has the same."""
        del step
        return {MAIN: np.arange(self.batch_size) % self.samples}

    def epoch(self, steps: int) -> float:
        """Returns 0: there are no epochs."""
        del steps
        return 0.0

    def ends_epoch(self, step: int) -> bool:
        """Returns False: no epoch ends."""
        del step
        return False
