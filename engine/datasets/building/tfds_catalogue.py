"""The dataset `tfds:mnist`: any dataset of TensorFlow Datasets' catalogue, by its own builder and downloads.

Examples of the catalogue have no ids, and their splits have other names. `AdaptedBuilder` adds the ids and
renames `validation`, `valid` or `dev` to `val`. Without any of them, a part of `train` becomes `val`, drawn
by the digests of the examples' names, because some sets are stored class after class. Boxes of any number
become padded fields, as `boxes.sequences` describes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import naming
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError
from tensorflow_datasets.core.download.util import DownloadError

from engine.datasets.building import features as field_features
from engine.datasets.building import holding_out
from engine.datasets.building.boxes.sequences import TfdsBoxes
from engine.datasets.building.without_tensorflow import ADVICE
from engine.errors import UserError, did_you_mean

NAMES = {'validation': 'val', 'valid': 'val', 'dev': 'val'}
NO_DATASETS = ('core', 'scripts', 'testing', 'proto', 'dataset_collections')
_BUILDER_CLASS = re.compile(r'^class (\w+)\([\w.]*Builder\b', re.MULTILINE)
FAILURES = (DownloadError, NonMatchingChecksumError, OSError, AssertionError, ImportError)


@dataclass(frozen=True)
class AdaptedSplit:
    """A split, or the part of one that was drawn.

    Attributes:
      tfds_name: TFDS's name of the split.
      filenames: the files of its records.
      indices: the places of its examples in TFDS's split, int [n].
    """

    tfds_name: str
    filenames: Sequence[str]
    indices: np.ndarray

    @property
    def num_examples(self) -> int:
        """The number of examples."""
        return len(self.indices)


@dataclass(frozen=True)
class AdaptedInfo:
    """The information of TFDS about a dataset, with the template's names of splits.

    Attributes:
      full_name: name, config and version.
      features: the feature of each field.
      splits: the splits, by the template's names.
      supervised_keys: the fields of the inputs and of the targets, None if TFDS states none.
    """

    full_name: str
    features: dict[str, Any]
    splits: dict[str, AdaptedSplit]
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
        """The information of TFDS, with an `id` and without fields that batches cannot hold."""
        info = self._builder.info
        features = {
            name: feature
            for name, feature in self.all_features.items()
            if name != 'id' and not field_features.unusable(feature)
        }
        features['id'] = tfds.features.Text()
        # Before the build there are no splits, so they are read again until there are.
        splits = self._splits if info.splits else {}
        features |= self._boxes.features() if splits else {}
        return AdaptedInfo(info.full_name, features, splits, info.supervised_keys)

    @property
    def all_features(self) -> Mapping[str, Any]:
        """The feature of each field, also of those that batches cannot hold; without sequences of boxes."""
        return self._boxes.other_features

    @cached_property
    def _boxes(self) -> TfdsBoxes:
        """The sequences of boxes among the features of TFDS."""
        return TfdsBoxes(self._builder)

    @cached_property
    def _splits(self) -> dict[str, AdaptedSplit]:
        """The splits of the built dataset, by the template's names."""
        known: dict[str, Any] = {
            NAMES.get(str(name), str(name)): info for name, info in self._builder.info.splits.items()
        }
        splits = {name: _part(info, np.arange(info.num_examples)) for name, info in known.items()}
        if 'train' in splits and 'val' not in splits:
            if splits['train'].num_examples < 2:
                raise UserError(
                    f'{self._builder.name} has one example to train on and none to validate with.'
                )
            chosen = holding_out.drawn([_name('train', row) for row in range(splits['train'].num_examples)])
            for name, is_inside in (('train', ~chosen), ('val', chosen)):
                splits[name] = _part(known['train'], np.flatnonzero(is_inside))
        first = [name for name in ('train', 'val') if name in splits]
        return {name: splits[name] for name in dict.fromkeys([*first, *splits])}

    def remarks(self) -> Sequence[str]:
        """Returns what a reader of the dataset may not expect."""
        boxes = self._boxes.remarks()
        train, val = self._splits.get('train'), self._splits.get('val')
        if train is None or val is None or train.tfds_name != val.tfds_name:
            return boxes
        part, total = val.num_examples, train.num_examples + val.num_examples
        return [*boxes, f'{part:,} of the {total:,} examples of train became val, drawn by digest']

    def notes(self) -> dict[str, Any]:
        """Returns the metadata that TFDS keeps of the dataset, and what the numbers of boxes mean."""
        return self._boxes.notes() | dict(self._builder.info.metadata or {})

    def as_data_source(self, split: str, decoders: Mapping[str, Any] | None = None) -> 'ExamplesWithIds':
        """Returns the examples of a split, in the order of their records."""
        source = self._builder.as_data_source(self._splits[split].tfds_name, decoders=decoders)
        return ExamplesWithIds(source, self._splits[split], self._boxes)

    def download_and_prepare(self, file_format: str) -> None:
        """Downloads and builds the dataset. Raises `UserError` if TFDS cannot."""
        try:
            self._builder.download_and_prepare(file_format=file_format)
        except FAILURES as error:
            raise UserError(f'TFDS cannot build {self._builder.name}: {error}') from error


class ExamplesWithIds:
    """Examples of TFDS with ids: their own ones, or TFDS's split and the index there. Boxes are padded."""

    def __init__(self, examples: Any, split: AdaptedSplit, boxes: TfdsBoxes):
        self._examples, self._split, self._boxes = examples, split, boxes

    def __len__(self) -> int:
        return self._split.num_examples

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        places = [int(self._split.indices[index]) for index in indices]
        return [*map(self._with_id, places, self._examples.__getitems__(places))]

    def _with_id(self, place: int, example: dict[str, Any]) -> dict[str, Any]:
        own = example.get('id')
        identity = own.decode() if isinstance(own, bytes) else _name(self._split.tfds_name, place)
        return example | self._boxes.padded(example, identity) | {'id': identity.encode()}


def builder(dataset: str, data_dir: Path) -> AdaptedBuilder:
    """Returns the builder of a dataset in TFDS's catalogue: `mnist`, `mnist:3.0.1`, `glue/mrpc:2.0.0`.

    Raises:
      UserError: there is no such dataset, config or version, or a package is missing.
    """
    name = re.split('[/:]', dataset)[0]
    try:
        _register(name)
        return AdaptedBuilder(tfds.builder(dataset, data_dir=data_dir))
    except tfds.core.DatasetNotFoundError:
        hint = did_you_mean(name, {*tfds.list_builders(with_community_datasets=False), *_modules()})
        raise UserError(f'TensorFlow Datasets has no dataset {name!r}. {hint}') from None
    except (ValueError, AssertionError) as error:
        raise UserError(f'tfds:{dataset}: {_reason(dataset, error)}') from None
    except ImportError as error:
        advice = f' {ADVICE}' if 'tensorflow' in str(error) else ''
        raise UserError(
            f'tfds:{dataset} needs a package that is not installed: {_last_part(error)}.{advice}'
        ) from None


def _register(name: str) -> None:
    """Imports the module of a dataset that TFDS knows only then. Without TensorFlow, TFDS imports few."""
    is_known = name in tfds.list_builders(with_community_datasets=False)
    if not is_known and (module := _modules().get(name)):
        import_module(module)


@cache
def _modules() -> dict[str, str]:
    """Returns the module of each dataset that TFDS ships, by the dataset's name."""
    root = Path(tfds.__file__).parent
    files = (path for path in root.glob('*/**/*.py') if path.relative_to(root).parts[0] not in NO_DATASETS)
    return {
        naming.camelcase_to_snakecase(cls): '.'.join(path.relative_to(root.parent).with_suffix('').parts)
        for path in files
        if not path.stem.endswith('_test')
        for cls in _BUILDER_CLASS.findall(path.read_text(encoding='utf-8'))
    }


def _reason(dataset: str, error: Exception) -> str:
    """Returns why TFDS refuses the name of a dataset that exists."""
    reason, (name, _, config) = _last_part(error), dataset.partition(':')[0].partition('/')
    if reason.startswith('Parsing'):
        return 'write <dataset>[/<config>][:<version>], with a version such as 3.0.1.'
    if reason.startswith('BuilderConfig'):
        hint = did_you_mean(config, tfds.builder_cls(name).builder_configs)
        return f'{name} has no config {config!r}. {hint}'
    return reason


def _last_part(error: Exception) -> str:
    """Returns what is wrong, from a message of TFDS that first repeats all arguments."""
    return str(error).rpartition('}": ')[2].splitlines()[0]


def _part(info: Any, indices: np.ndarray) -> AdaptedSplit:
    return AdaptedSplit(info.name, sorted(info.filenames), indices)


def _name(split: str, index: int) -> str:
    """Returns the id of an example without one of its own."""
    return f'{split}-{index:07}'
