"""Datasets of random examples, for measurements that need no others: configs bind them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from engine.datasets.expressions import expression
from engine.datasets.expressions.generated import generated
from engine.datasets.reading.dataset import Dataset
from engine.datasets.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class RandomImages:
    """Random pixels and labels; decoded arrays, as those of a real dataset.

    Args:
      training: examples of the training split. Up to 1 GiB is held on the device, more by the host.
      others: examples of each other split.
      side: height and width, pixels.
      classes: number of classes.
    """

    training: int
    others: int
    side: int = 224
    classes: int = 1000

    @property
    def text(self) -> str:
        """The expression in one line."""
        return expression.call('RandomImages', self.training, self.others, self.side, self.classes)

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        sizes = self.training, self.others, self.side, self.classes
        return expression.joined_slug('random-images', *sizes)

    def names(self) -> tuple[str, ...]:
        """Returns no names: it is made of no other dataset."""
        return ()

    def toy(self) -> 'RandomImages':
        """Returns itself."""
        return self

    def load(self, load: Any) -> Dataset:
        """Returns the dataset; the same arguments give the same examples."""
        del load
        splits = {'train': self.training, 'val': self.others, 'test': self.others}
        random, count = np.random.default_rng(0), sum(splits.values())
        pixels = np.frombuffer(random.bytes(count * self.side**2 * 3), np.uint8)
        labels = np.arange(count, dtype=np.int32) % self.classes  # every class occurs
        arrays = {'image': pixels.reshape(count, self.side, self.side, 3), 'label': labels}
        names = {'label': tuple(map(str, range(self.classes)))}
        return generated(self, [f'{index:08d}' for index in range(count)], arrays, splits, names)


@dataclass(frozen=True)
class RandomTokens:
    """Texts of random tokens.

    Args:
      training: examples of the training split.
      others: examples of each other split.
      length: tokens of each text.
      vocabulary: number of tokens.
    """

    training: int
    others: int
    length: int = 1024
    vocabulary: int = 50304

    @property
    def text(self) -> str:
        """The expression in one line."""
        return expression.call('RandomTokens', self.training, self.others, self.length, self.vocabulary)

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        sizes = self.training, self.others, self.length, self.vocabulary
        return expression.joined_slug('random-tokens', *sizes)

    def names(self) -> tuple[str, ...]:
        """Returns no names: it is made of no other dataset."""
        return ()

    def toy(self) -> 'RandomTokens':
        """Returns itself."""
        return self

    def load(self, load: Any) -> Dataset:
        """Returns the dataset; the same arguments give the same examples."""
        del load
        splits = {'train': self.training, 'val': self.others, 'test': self.others}
        count = sum(splits.values())
        draw = partial(np.random.default_rng(0).integers, 0, self.vocabulary)
        arrays = {
            'text': draw((count, self.length)).astype(np.uint16),
            'length': np.full(count, self.length, np.int32),
        }
        words = [f'<{index}>' for index in range(self.vocabulary - 256)]
        notes = {'vocabulary': Vocabulary('bpe', (*range(256), *words)).notes()}
        ids = [f'{index:08d}' for index in range(count)]
        return generated(self, ids, arrays, splits, notes=notes)
