"""Datasets of TensorFlow Datasets' own catalogue, by its own builders and downloads: `tfds:mnist`.

Their examples have no ids and their splits other names: here they get those that the rest goes by. A split
`validation` or `valid` is `val`; where there is none, it is the last tenth of `train`,
in the order of TFDS, which is at random.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
from tensorflow_datasets.core.download.util import DownloadError

from engine.datasets.building import file_functions
from engine.errors import UserError, did_you_mean

NAMES = {'validation': 'val', 'valid': 'val'}
FAILURES = (DownloadError, NonMatchingChecksumError, OSError, AssertionError, ImportError)


@dataclass(frozen=True)
class Info:
    """What TFDS says of a dataset, by our names.

    Attributes:
      full_name: name, config and version.
      features: by field.
      splits: TFDS's description of each, by its name here.
      supervised_keys: the fields that enter and are to come out, if it says.
    """

    full_name: str
    features: dict[str, Any]
    splits: dict[str, Any]
    supervised_keys: Any


class Catalogued:
    """A builder of TFDS's, as the other modules need one.

    Args:
      builder: any that TFDS can build.
    """

    def __init__(self, builder: Any):
        self._builder = builder

    def __getattr__(self, name: str) -> Any:
        """Returns whatever else TFDS's builder has."""
        return getattr(self._builder, name)

    @property
    def builder_config(self) -> Any:
        """The config; one called as the dataset if it has none."""
        return self._builder.builder_config or tfds.core.BuilderConfig(name=self._builder.name)

    @property
    def info(self) -> Info:
        """What TFDS says, with an `id` and without fields that vary in shape, images apart."""
        info = self._builder.info
        features = {name: each for name, each in info.features.items() if name != 'id' and _is_kept(each)}
        splits = {name: info.splits[there] for name, there in _splits(info.splits).items()}
        return Info(info.full_name, features | {'id': tfds.features.Text()}, splits, info.supervised_keys)

    def as_data_source(self, split: str, decoders: Mapping[str, Any] | None = None) -> 'Identified':
        """Returns the examples of one of our splits, in the order of their records."""
        there = _splits(self._builder.info.splits)[split]
        return Identified(self._builder.as_data_source(there, decoders=decoders), split)

    def download_and_prepare(self, file_format: str) -> None:
        """Has TFDS fetch and build it, without TensorFlow unless that is installed.

        Raises:
          UserError: what cannot be fetched, or only be built by TensorFlow.
        """
        try:
            with file_functions.without_tensorflow(self._builder.name):
                self._builder.download_and_prepare(file_format=file_format)
        except FAILURES as error:
            raise UserError(f'{self._builder.name} of TFDS cannot be built: {error}') from error


class Identified:
    """Examples, each with an id: its own or its place."""

    def __init__(self, examples: Any, split: str):
        self._examples, self._split = examples, split

    def __len__(self) -> int:
        return len(self._examples)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> dict[str, Any]:
        example = self._examples[index]
        own = example.get('id')
        identity = own if isinstance(own, bytes) else f'{self._split}-{index:07}'.encode()
        return example | {'id': identity}


def builder(dataset: str, data_dir: Path) -> Catalogued:
    """Returns the builder of a dataset of the catalogue: `mnist`, `mnist:3.0.1` or `glue/mrpc`.

    Raises:
      UserError: there is none of that name, config and version, or a package is missing.
    """
    try:
        return Catalogued(tfds.builder(dataset, data_dir=data_dir))
    except tfds.core.DatasetNotFoundError:
        name = re.split('[/:]', dataset)[0]
        hint = did_you_mean(name, tfds.list_builders(with_community_datasets=False))
        raise UserError(f'TensorFlow Datasets has no dataset {name!r}. {hint}') from None
    except (ValueError, AssertionError) as error:
        reason = str(error).rpartition('}": ')[2].splitlines()[0]
        raise UserError(f'tfds:{dataset}: {reason}{_configs(dataset)}') from None
    except ImportError as error:
        raise UserError(f'tfds:{dataset} needs a package that is not installed: {error}') from None


def _configs(dataset: str) -> str:
    """Returns words for the configs of a dataset, if it has any and another one was asked for."""
    name, _, config = dataset.partition('/')
    known = tfds.builder_cls(name).builder_configs if config else {}
    return f' {did_you_mean(config, known)}' if known else ''


def _splits(available: Mapping[str, Any]) -> dict[str, str]:
    """Returns what TFDS calls each of our splits."""
    found = {NAMES.get(name, name): name for name in available}
    if 'train' in found and 'val' not in found:
        found |= {'train': 'train[:90%]', 'val': 'train[90%:]'}
    return found


def _is_kept(feature: Any) -> bool:
    """Whether batches can hold a field: it has one shape, or is images of bytes."""
    if isinstance(feature, tfds.features.Image):
        return True
    is_plain = isinstance(feature.shape, tuple) and None not in feature.shape
    return is_plain and np.dtype(feature.np_dtype).kind in 'biuf'
