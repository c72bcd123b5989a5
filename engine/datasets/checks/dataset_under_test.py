"""The dataset that the checks examine, and helpers for their messages."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.datasets.building import build
from engine.datasets.catalogue import builders
from engine.datasets.catalogue.names import DEFAULT_CONFIG, DatasetName
from engine.datasets.checks import sampling
from engine.datasets.load import load, prepare
from engine.datasets.reading.dataset import Dataset, Examples


class NotApplicable(Exception):  # noqa: N818 (not an error)
    """The dataset has nothing that this check could examine."""


class DatasetUnderTest:
    """A dataset that is checked. Each part is read when a check first needs it.

    Args:
      name: `digits`, `digits/toy`, `images:<folder>`, `text:<file>` or `tfds:<dataset>`.
      sample: how many examples of a larger dataset are checked; 0 for all.
    """

    def __init__(self, name: str, sample: int = 0):
        self._sample = sample
        self.builder, self._failure = _prepared(name)
        self.config = self.builder.builder_config.name
        self._name = DatasetName.parse(name)
        self.dataset_name = self._name.without_config
        is_default = self._name.config in ('', DEFAULT_CONFIG)
        self.name = self.dataset_name if is_default else f'{self.dataset_name}/{self._name.config}'

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The dataset. If its build has failed, the reason is raised, because many checks ask for it."""
        if self._failure:
            raise self._failure
        return load(self.name)

    @property
    def lists_originals(self) -> bool:
        """Whether the builder states the original file of each example."""
        return hasattr(self.builder, 'raw_examples')

    @functools.cached_property
    def raw(self) -> Mapping[str, Sequence[Any]]:
        """Id, file and label of each original, by split."""
        if not self.lists_originals:
            raise NotApplicable('its builder lists no originals')
        return self.builder.raw_examples()

    def rows(self, split: str) -> Sequence[Any]:
        """Returns id, file and label of each example of a split, [] if the builder lists no originals."""
        rows = self.raw.get(split, []) if self.lists_originals else []
        left_out = self.dataset.images.left_out_of(split)
        return [row for row in rows if str(row[0]) not in left_out] if left_out else rows

    @property
    def is_sample(self) -> bool:
        """Whether the checks look at a part of the examples."""
        return 0 < self._sample < sum(self.dataset.splits.values())

    def positions(self, split: str) -> Sequence[int]:
        """Returns the positions of the examples of a split that the checks look at."""
        return self._sampled[split].tolist() if self.is_sample else range(len(self.splits[split]))

    @functools.cached_property
    def _sampled(self) -> dict[str, np.ndarray]:
        labels = [name for name in self.dataset.spec.class_names if not self.dataset.spec.example[name].shape]
        return {
            split: sampling.positions(
                self.splits[split].ids, count, self.splits[split].arrays[labels[0]] if labels else None
            )
            for split, count in sampling.shares(self.dataset.splits, self._sample).items()
        }

    def chosen_rows(self, split: str) -> Sequence[Any]:
        """Returns id, file and label of each original of a split that the checks look at."""
        if not self.is_sample:
            return self.raw[split]
        rows = self.rows(split)
        return [rows[row] for row in self._sampled.get(split, np.arange(0)).tolist() if row < len(rows)]

    def is_left_out(self, split: str, identity: Any) -> bool:
        """Whether an original is left out, because its image cannot be used."""
        return str(identity) in self.dataset.images.left_out_of(split)

    @functools.cached_property
    def splits(self) -> dict[str, Examples]:
        """The examples of each split."""
        return {split: self.dataset.split(split) for split in self.dataset.splits}

    @functools.cached_property
    def repository_folder(self) -> Path:
        """The dataset's folder in the repository."""
        if not self._name.repository_folder:
            raise NotApplicable('it has no folder in data/')
        return self._name.repository_folder

    @property
    def workspace_folder(self) -> Path:
        """The dataset's folder in the workspace."""
        return build.home(self.builder)

    @property
    def originals(self) -> Path:
        """The folder of the originals."""
        return self.workspace_folder / ('raw' if self.config == DEFAULT_CONFIG else self.config)

    def fields(self, *kinds: str) -> list[str]:
        """Returns the fields whose features are of these classes of TFDS, such as `ClassLabel`."""
        features = self.builder.info.features
        return [name for name, feature in features.items() if type(feature).__name__ in kinds]

    def raw_results(self) -> Iterator[tuple[str, Any, Any]]:
        """Yields split and row of each original, and the builder's example or the exception it raised."""
        for split in self.raw:
            rows, index = self.chosen_rows(split), 0
            while index < len(rows):
                try:
                    for _, example in self.builder._generate_examples(rows[index:]):
                        yield split, rows[index], example
                        index += 1
                    break
                except Exception as error:  # the builder's own code may raise anything
                    yield split, rows[index], error
                    index += 1


def _prepared(name: str) -> tuple[Any, Exception | None]:
    """Returns the builder of a dataset, built if possible, and why the build failed."""
    builder = builders.builder(name)
    try:
        return prepare(name), None
    except Exception as failure:  # the builder's own code may raise anything
        return builder, failure


def label(split: str, identity: Any) -> str:
    """Returns the name of an example in messages.

    >>> label('train', '0007')
    "train '0007'"
    """
    return f'{split} {str(identity)!r}'


def one_line(error: Exception) -> str:
    """Returns class and first line of an exception.

    >>> one_line(ValueError('too large'))
    'ValueError: too large'
    """
    first = str(error).strip().partition('\n')[0]
    return f'{type(error).__name__}: {first}' if first else type(error).__name__
