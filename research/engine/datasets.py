"""Datasets by name: `'digits'`, `'digits/toy'`. Built on first use, read as arrays ever after.

A dataset is a folder `data/<name>/` of the repository; nothing here knows one by name. Its
`<name>_dataset_builder.py` holds a TFDS builder called `Builder`, which owes this:

- `BUILDER_CONFIGS` has `full`, meant where none is named, and `toy`. Only the folder they read differs.
- Its features have fixed shapes, except texts. The text `id` is unique in the dataset, and one line.
- Classes have names: those of a ClassLabel, or of a LabeledImage, which is a class for each pixel, [H, W].
- `raw_examples()` returns `{split: [(id, path, label), ...]}`: each original file, and its label or the path
  of its mask. Files lie in the dataset's folder of the workspace, `<data_dir>/..`; a link there may lead
  elsewhere. It fetches those that are missing. `_generate_examples` goes by it, and so do the lists.
- Images are handed to TFDS as paths or as encoded bytes; arrays it would encode by TensorFlow.

In the workspace, `data/<name>/` then has, beside the originals (`raw/`, `toy/`):

    lists/<config>/<split>.csv                  id,path,label
    records/<name>/<config>/<version>/          ArrayRecord, by TFDS
    records/<name>/<config>/<version>/arrays/   fingerprint.txt, <split>/{ids.txt,<field>.npy}

Decoding costs TFDS 0.3 ms an example, so it is done once; the arrays are mapped into memory at each start.
All is written aside and renamed, the arrays last: after a kill the next call makes what is missing.
"""

import contextlib
import csv
import fcntl
import hashlib
import importlib
import logging
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.lib.format import open_memmap

from research.engine import workspace
from research.errors import UserError, did_you_mean
from research.interfaces import Spec

# TensorFlow Datasets takes a second to import: only functions that need it do, so that `--help` is quick.

DEFAULT_CONFIG = 'full'
INCOMPLETE = 'incomplete.'  # TFDS gives its unfinished folders the same prefix

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Examples:
    """The examples of a split, in the order of its list.

    Attributes:
      ids: n names, unique in the dataset.
      arrays: each field, [n, ...], read-only. Class labels are int32.
    """

    ids: list[str]
    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Dataset:
    """A dataset that is built.

    Attributes:
      name: such as `digits` or `digits/toy`.
      version: the builder's.
      fingerprint: sha256 of ids and arrays of all splits; the same wherever the data are.
      spec: shape and dtype of each field of an example, and the names of the classes.
      splits: number of examples by split.
      folder: where its arrays lie.
    """

    name: str
    version: str
    fingerprint: str
    spec: Spec
    splits: dict[str, int]
    folder: Path = field(repr=False)

    def split(self, name: str) -> Examples:
        """Returns the examples of the split `name`. Raises `UserError` if there is no such split."""
        if name not in self.splits:
            raise UserError(f'{self.name} has no split {name!r}. {did_you_mean(name, self.splits)}')
        folder = self.folder / name
        arrays = {field: _read(folder / f'{field}.npy', each) for field, each in self.spec.example.items()}
        return Examples((folder / 'ids.txt').read_text(encoding='utf-8').splitlines(), arrays)


def names() -> list[str]:
    """Returns the names of the datasets in `data/`, sorted."""
    builders = (workspace.REPOSITORY / 'data').glob('*/*_dataset_builder.py')
    return sorted(path.parent.name for path in builders if path.stem == f'{path.parent.name}_dataset_builder')


def load(name: str) -> Dataset:
    """Returns the dataset `name`, which is built first if need be.

    Args:
      name: `<dataset>` or `<dataset>/<config>`.

    Raises:
      UserError: no such dataset or config, or its originals are not what they should be.
    """
    builder = prepare(name)
    folder = _arrays(builder)
    return Dataset(
        name=name,
        version=str(builder.version),
        fingerprint=(folder / 'fingerprint.txt').read_text().strip(),
        spec=_spec(builder),
        splits={split: info.num_examples for split, info in builder.info.splits.items()},
        folder=folder,
    )


def prepare(name: str) -> Any:
    """Makes sure that the dataset `name` is built and its lists are true; quick if so.

    Safe when several processes call it at once, and after a kill.

    Args:
      name: `<dataset>` or `<dataset>/<config>`.

    Returns:
      The TFDS builder.

    Raises:
      UserError: no such dataset or config, or its originals are not what they should be.
    """
    builder = _builder(name)
    if not _is_ready(builder):
        with _lock(_home(builder)):
            builder = _builder(name)  # anew: another process may have built it while this one waited
            if not _is_ready(builder):
                _build(builder)
    return builder


def _builder(name: str) -> Any:
    """Returns the TFDS builder of `name`, with its records in the workspace."""
    dataset, _, config = name.partition('/')
    if dataset not in names():
        raise UserError(f'There is no dataset {dataset!r} in data/. {did_you_mean(dataset, names())}')
    cls = importlib.import_module(f'data.{dataset}.{dataset}_dataset_builder').Builder
    config = config or DEFAULT_CONFIG
    if config not in cls.builder_configs:
        raise UserError(f'{dataset} has no config {config!r}. {did_you_mean(config, cls.builder_configs)}')
    return cls(config=config, data_dir=workspace.workspace() / 'data' / dataset / 'records')


def _home(builder: Any) -> Path:
    """Returns the dataset's folder of the workspace."""
    return Path(builder.data_dir_root).parent


def _arrays(builder: Any) -> Path:
    return Path(builder.data_dir) / 'arrays'


def _lists(builder: Any) -> Path:
    return _home(builder) / 'lists' / builder.builder_config.name


def _is_ready(builder: Any) -> bool:
    """Whether all is built and the lists name the files where they are."""
    return _arrays(builder).exists() and all(
        _is_true(_lists(builder) / f'{split}.csv', _home(builder)) for split in builder.info.splits
    )


def _is_true(path: Path, home: Path) -> bool:
    """Whether the list in `path` is there and was not written before the workspace moved to where it is."""
    if not path.exists():
        return False
    with path.open(newline='', encoding='utf-8') as file:
        first = next(csv.DictReader(file), None)
    return first is None or Path(first['path']).is_relative_to(home)


def _build(builder: Any) -> None:
    """Writes what is missing of records, lists and arrays: these last, for they say that all is there."""
    _log.info('Building the dataset %s in %s', builder.info.full_name, _home(builder))
    with _quiet():
        _write_records(builder)
        _write_lists(builder)
        if not _arrays(builder).exists():
            _write_arrays(builder)


def _write_lists(builder: Any) -> None:
    """Writes the list of each split, whatever was there."""
    folder = _lists(builder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, examples in builder.raw_examples().items():
        aside = folder / f'{INCOMPLETE}{split}.csv'
        with aside.open('w', newline='', encoding='utf-8') as file:
            csv.writer(file, lineterminator='\n').writerows([('id', 'path', 'label'), *examples])
        aside.replace(folder / f'{split}.csv')


def _write_records(builder: Any) -> None:
    """Has TFDS write the records, unless they are there."""
    for left_by_a_kill in Path(builder.data_dir).parent.glob(f'{INCOMPLETE}*'):
        shutil.rmtree(left_by_a_kill)
    builder.download_and_prepare(file_format='array_record')


def _write_arrays(builder: Any) -> None:
    """Decodes the records into arrays and seals them with their fingerprint."""
    folder = _arrays(builder)
    aside = folder.with_name(INCOMPLETE + folder.name)
    shutil.rmtree(aside, ignore_errors=True)
    for split in builder.info.splits:
        _write_split(aside / split, builder.as_data_source(split), _spec(builder))
    (aside / 'fingerprint.txt').write_text(_fingerprint(aside) + '\n')
    aside.rename(folder)


def _write_split(folder: Path, examples: Any, spec: Spec) -> None:
    """Writes ids and fields of `examples`, one at a time, for they may be larger than memory."""
    folder.mkdir(parents=True)
    arrays = {
        name: open_memmap(folder / f'{name}.npy', 'w+', each.dtype, (len(examples), *each.shape))
        for name, each in spec.example.items()
    }
    with (folder / 'ids.txt').open('w', encoding='utf-8') as ids:
        for index, example in enumerate(examples):
            ids.write(example['id'].decode() + '\n')
            for name, array in arrays.items():
                array[index] = np.reshape(example[name], array.shape[1:])


def _fingerprint(folder: Path) -> str:
    """Returns the sha256 over name and content of each file in `folder`.

    Of arrays, not of records: those differ from build to build, for protobuf orders its maps at random.
    """
    sha256 = hashlib.sha256()
    for path in sorted(folder.glob('*/*')):
        with path.open('rb') as file:
            content = hashlib.file_digest(file, 'sha256').hexdigest()
        sha256.update(f'{path.relative_to(folder).as_posix()} {content}\n'.encode())
    return sha256.hexdigest()


def _read(path: Path, promised: jax.ShapeDtypeStruct) -> np.ndarray:
    """Returns a field of a split, [n, ...], mapped into memory. Raises `UserError` if not as promised."""
    # A plain view, because NumPy gathers rows from its own arrays faster than from `memmap`, a subclass.
    array = np.load(path, mmap_mode='r').view(np.ndarray) if path.exists() else None
    if array is None or (array.shape[1:], array.dtype) != (promised.shape, promised.dtype):
        raise UserError(
            f'The builder now promises {path.stem}: {promised.dtype} {promised.shape}, which {path} is not: '
            f'it was built before. Raise the VERSION of the builder, or delete {path.parents[2]}.'
        )
    return array


def _spec(builder: Any) -> Spec:
    """Returns what the builder's features promise. Raises `UserError` if one has no fixed shape."""
    import tensorflow_datasets as tfds

    features = {
        name: each for name, each in builder.info.features.items() if not isinstance(each, tfds.features.Text)
    }
    labels = tfds.features.ClassLabel, tfds.features.LabeledImage
    classes = [each.names for each in features.values() if isinstance(each, labels)]
    example = {name: _shape(builder.name, name, each) for name, each in features.items()}
    return Spec(example, tuple(classes[0]) if classes else ())


def _shape(dataset: str, name: str, feature: Any) -> jax.ShapeDtypeStruct:
    """Returns shape and dtype of a field."""
    import tensorflow_datasets as tfds

    if feature.shape is None or None in feature.shape:
        raise UserError(
            f'The field {name!r} of {dataset} has the shape {feature.shape}: batches need a fixed one. '
            f'Give it in data/{dataset}/{dataset}_dataset_builder.py and bring the examples to it there.'
        )
    is_class = isinstance(feature, tfds.features.ClassLabel)
    dtype = np.dtype(np.int32) if is_class else np.dtype(feature.np_dtype)
    is_map = isinstance(feature, tfds.features.LabeledImage)  # of classes; TFDS gives it one channel
    shape = tuple(feature.shape)
    return jax.ShapeDtypeStruct(shape[:-1] if is_map else shape, dtype)


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Lets one process at a time write into `folder`. The system frees the lock of one that was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info('Another process is building in %s: waiting for it', folder)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences what TFDS says in vain: two banners, the advice to install OpenCV, progress bars in a file."""
    import tensorflow_datasets as tfds
    import termcolor

    def is_news(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith('OpenCV is not installed')

    cprint, termcolor.cprint = termcolor.cprint, lambda *_, **__: None
    logging.getLogger('absl').addFilter(is_news)
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    try:
        yield
    finally:
        termcolor.cprint = cprint
        logging.getLogger('absl').removeFilter(is_news)
