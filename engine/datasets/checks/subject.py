"""A dataset that is checked, and the words that all checks share."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.datasets.catalogue import builders
from engine.datasets.catalogue.names import DatasetName
from engine.datasets.load import load, prepare
from engine.datasets.reading.dataset import Dataset, Examples


class NotApplicable(Exception):  # noqa: N818 (no error)
    """A dataset has nothing that this check could look at."""


class Subject:
    """A dataset to be checked; each part of it is read when a check asks for it.

    Args:
      name: `<dataset>` or `<dataset>/<config>`.
    """

    def __init__(self, name: str):
        self.builder = _prepared(name)
        self.config = self.builder.builder_config.name
        self._name = DatasetName.parse(name)
        self.dataset_name = self._name.without_config
        is_plain = self._name.card is None or self.config == builders.DEFAULT_CONFIG
        self.name = self.dataset_name if is_plain else f'{self.dataset_name}/{self.config}'

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The dataset, built if need be."""
        return load(self.name)

    @property
    def lists_originals(self) -> bool:
        """Whether its builder says which original each example is of."""
        return hasattr(self.builder, 'raw_examples')

    @functools.cached_property
    def raw(self) -> dict[str, list[Any]]:
        """Id, file and label of each original, by split."""
        if not self.lists_originals:
            raise NotApplicable('its builder lists no originals')
        return self.builder.raw_examples()

    def rows(self, split: str) -> list[Any]:
        """Returns id, file and label of each original of a split; none where its builder lists none."""
        return self.raw.get(split, []) if self.lists_originals else []

    @functools.cached_property
    def splits(self) -> dict[str, Examples]:
        """The arrays of each split."""
        return {split: self.dataset.split(split) for split in self.dataset.splits}

    @functools.cached_property
    def folder(self) -> Path:
        """The dataset's folder in the repository."""
        if not self._name.card:
            raise NotApplicable('it has no folder in data/')
        return self._name.card

    @property
    def bytes(self) -> Path:
        """The dataset's folder in the workspace."""
        return Path(self.builder.data_dir_root).parent

    @property
    def originals(self) -> Path:
        """The folder of its originals."""
        return self.bytes / ('raw' if self.config == builders.DEFAULT_CONFIG else self.config)

    def fields(self, *kinds: str) -> list[str]:
        """Returns the fields whose features are of these kinds: `ClassLabel`, say."""
        features = self.builder.info.features
        return [name for name, each in features.items() if type(each).__name__ in kinds]


def _prepared(name: str) -> Any:
    """Returns the builder of a dataset that is built, or cannot be: `Subject.dataset` says why."""
    builder = builders.builder(name)
    try:
        return prepare(name)
    except Exception:  # whatever the builder's own code may raise
        return builder


def which(split: str, identity: Any) -> str:
    """Returns words for an example."""
    return f'{split} {str(identity)!r}'


def said(error: Exception) -> str:
    """Returns an exception in one line."""
    first = str(error).strip().partition('\n')[0]
    return f'{type(error).__name__}: {first}' if first else type(error).__name__


def examples(subject: Subject) -> Iterator[tuple[str, Any, Any]]:
    """Yields split, row and what the builder makes of it: a dict, or the exception that it raised."""
    for split, rows in subject.raw.items():
        place = 0
        while place < len(rows):
            try:
                for _, example in subject.builder._generate_examples(rows[place:]):
                    yield split, rows[place], example
                    place += 1
                break
            except Exception as error:  # whatever the builder's own code may raise
                yield split, rows[place], error
                place += 1
