"""The dataset `tfds:mnist`: any dataset of TensorFlow Datasets' catalogue, by its own builder and downloads.

Examples of the catalogue have no ids, and their splits have other names. `AdaptedBuilder` adds the ids and
renames `validation` or `valid` to `val`. Without either, the last tenth of `train` becomes `val`, in TFDS's
order, which is random.
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

from engine.datasets.building.without_tensorflow import without_tensorflow
from engine.errors import UserError, did_you_mean

NAMES = {'validation': 'val', 'valid': 'val'}
FAILURES = (DownloadError, NonMatchingChecksumError, OSError, AssertionError, ImportError)


@dataclass(frozen=True)
class AdaptedInfo:
    """The information of TFDS about a dataset, with the template's names of splits.

    Attributes:
      full_name: name, config and version.
      features: the feature of each field.
      splits: TFDS's information about each split.
      supervised_keys: the fields of the inputs and of the targets, None if TFDS states none.
    """

    full_name: str
    features: dict[str, Any]
    splits: dict[str, Any]
    supervised_keys: Any


class AdaptedBuilder:
    """A TFDS builder with ids, the template's names of splits, and only fields that batches can hold.

    Args:
      builder: any builder of TFDS.
    """

    def __init__(self, builder: Any):
        self._builder = builder

    def __getattr__(self, name: str) -> Any:
        """Returns any other attribute of the TFDS builder."""
        return getattr(self._builder, name)

    @property
    def builder_config(self) -> Any:
        """The config. A dataset without configs gets one of its own name."""
        return self._builder.builder_config or tfds.core.BuilderConfig(name=self._builder.name)

    @property
    def info(self) -> AdaptedInfo:
        """The information of TFDS, with an `id` and without fields that vary in shape, images apart."""
        info = self._builder.info
        features = {
            name: feature
            for name, feature in info.features.items()
            if name != 'id' and _fits_batches(feature)
        }
        splits = {name: info.splits[tfds_name] for name, tfds_name in _splits(info.splits).items()}
        features['id'] = tfds.features.Text()
        return AdaptedInfo(info.full_name, features, splits, info.supervised_keys)

    def as_data_source(self, split: str, decoders: Mapping[str, Any] | None = None) -> 'ExamplesWithIds':
        """Returns the examples of a split, in the order of their records."""
        tfds_name = _splits(self._builder.info.splits)[split]
        return ExamplesWithIds(self._builder.as_data_source(tfds_name, decoders=decoders), split)

    def download_and_prepare(self, file_format: str) -> None:
        """Downloads and builds the dataset with TFDS. TensorFlow is used only if it is installed.

        Raises:
          UserError: the download fails, or the builder needs TensorFlow.
        """
        try:
            with without_tensorflow(self._builder.name):
                self._builder.download_and_prepare(file_format=file_format)
        except FAILURES as error:
            raise UserError(f'TFDS cannot build {self._builder.name}: {error}') from error


class ExamplesWithIds:
    """Examples of TFDS with ids: their own ones, or split and index."""

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


def builder(dataset: str, data_dir: Path) -> AdaptedBuilder:
    """Returns the builder of a dataset in TFDS's catalogue: `mnist`, `mnist:3.0.1` or `glue/mrpc`.

    Raises:
      UserError: there is no such dataset, config or version, or a package is missing.
    """
    try:
        return AdaptedBuilder(tfds.builder(dataset, data_dir=data_dir))
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
    """Returns a sentence that suggests configs of a dataset, '' if it has none or none was named."""
    name, _, config = dataset.partition('/')
    configs = tfds.builder_cls(name).builder_configs if config else {}
    return f' {did_you_mean(config, configs)}' if configs else ''


def _splits(available: Mapping[str, Any]) -> dict[str, str]:
    """Returns TFDS's name of each split."""
    names = {NAMES.get(name, name): name for name in available}
    if 'train' in names and 'val' not in names:
        names |= {'train': 'train[:90%]', 'val': 'train[90%:]'}
    return names


def _fits_batches(feature: Any) -> bool:
    """Whether batches can hold a field: an image, or numbers of fixed shape."""
    if isinstance(feature, tfds.features.Image):
        return True
    has_shape = isinstance(feature.shape, tuple) and None not in feature.shape
    return has_shape and np.dtype(feature.np_dtype).kind in 'biuf'
