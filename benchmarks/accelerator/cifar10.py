"""CIFAR-10 from an archive of its images, decoded in memory: configs bind `Cifar10`."""

import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from engine.datasets.expressions import expression
from engine.datasets.expressions.generated import generated
from engine.datasets.reading import images
from engine.datasets.reading.dataset import Dataset

SPLITS = ('train', 'val', 'test')
HELD_OUT = 10  # one in ten training images of each class becomes validation


@dataclass(frozen=True)
class Cifar10:
    """CIFAR-10, Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf.

    Args:
      archive: a tar archive of `<split>/<class>/<image>`, for the splits `train` and `test`. Of each class,
        every tenth training image becomes validation.
      limit: images of each class and split at most; 0 takes all.
    """

    archive: str
    limit: int = 0

    @property
    def text(self) -> str:
        """The expression in one line."""
        return expression.call('Cifar10', limit=self.limit)

    @property
    def slug(self) -> str:
        """The expression as the name of a folder."""
        return expression.joined_slug('cifar10', self.limit)

    def names(self) -> tuple[str, ...]:
        """Returns no names: it is made of no other dataset."""
        return ()

    def toy(self) -> 'Cifar10':
        """Returns the first images of each class."""
        return Cifar10(self.archive, limit=20)

    def load(self, load: Any) -> Dataset:
        """Returns the dataset, its images as uint8 [32, 32, 3]."""
        del load
        rows: dict[str, list[tuple[str, str, np.ndarray]]] = {split: [] for split in SPLITS}
        for split, name, identity, data in self._files():
            rows[split].append((identity, name, images.whole(data, 3)))
        examples = [row for split in SPLITS for row in rows[split]]
        names = tuple(sorted({name for _, name, _ in examples}))
        arrays = {
            'image': np.stack([pixels for _, _, pixels in examples]),
            'label': np.array([names.index(name) for _, name, _ in examples], np.int32),
        }
        counts = {split: len(rows[split]) for split in SPLITS}
        return generated(self, [identity for identity, _, _ in examples], arrays, counts, {'label': names})

    def _files(self) -> Iterator[tuple[str, str, str, bytes]]:
        """Yields split, class, id and content of each image."""
        count: Counter[tuple[str, str]] = Counter()
        with tarfile.open(self.archive) as archive:
            for member in filter(tarfile.TarInfo.isfile, archive):
                stored, name, file = PurePath(member.name).parts[-3:]
                count[stored, name] += 1
                content = archive.extractfile(member)
                if content and not 0 < self.limit < count[stored, name]:
                    is_held_out = stored == 'train' and count[stored, name] % HELD_OUT == 1
                    identity = f'{stored}/{name}/{PurePath(file).stem}'
                    yield 'val' if is_held_out else stored, name, identity, content.read()
