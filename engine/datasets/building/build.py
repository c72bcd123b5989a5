"""Builds datasets in the workspace: records, lists, arrays.

In the workspace, `data/<name>/` then has, beside the originals (`raw/`, `toy/`):

    lists/<config>/<split>.csv                  id,path,label
    records/<name>/<config>/<version>/          ArrayRecord, by TFDS
    records/<name>/<config>/<version>/arrays/   fingerprint.txt, <split>/{ids.txt,<field>.npy}
                                                of images of varying size <field>.bin, <field>.offsets.npy

Decoding costs TFDS 0.3 ms an example, so it is done once; the arrays are mapped into memory at each start.
Images of varying size stay as in their files, one after another: decoded they would take ten times as much.
All is written aside and renamed, the arrays last: after a kill the next call makes what is missing.
"""

import contextlib
import csv
import fcntl
import hashlib
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from engine.datasets import progress_bar
from engine.datasets.catalogue import builders
from engine.datasets.reading import images
from engine.errors import UserError
from engine.interfaces import Spec

# TensorFlow Datasets takes a second to import: only functions that need it do, so that `--help` is quick.

INCOMPLETE = 'incomplete.'  # TFDS gives its unfinished folders the same prefix

_log = logging.getLogger(__name__)


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
    builder = builders.builder(name)
    if not _is_ready(builder):
        with _lock(_home(builder)):
            builder = builders.builder(name)  # anew: another process may have built it while this one waited
            if not _is_ready(builder):
                _build(builder)
    return builder


def _home(builder: Any) -> Path:
    """Returns the dataset's folder of the workspace."""
    return Path(builder.data_dir_root).parent


def arrays(builder: Any) -> Path:
    """Returns the folder of a dataset's arrays; that it exists says that all is built."""
    return Path(builder.data_dir) / 'arrays'


def lists(builder: Any) -> Path:
    """Returns the folder of a dataset's lists."""
    return _home(builder) / 'lists' / builder.builder_config.name


def _is_ready(builder: Any) -> bool:
    """Whether all is built and the lists name the files where they are."""
    return arrays(builder).exists() and (
        not hasattr(builder, 'raw_examples') or all(_is_true(builder, split) for split in builder.info.splits)
    )


def _is_true(builder: Any, split: str) -> bool:
    """Whether the list of a split is there and was not written before the workspace moved to where it is."""
    path = lists(builder) / f'{split}.csv'
    if not path.exists():
        return False
    with path.open(newline='', encoding='utf-8') as file:
        first = next(csv.DictReader(file), None)
    stay_elsewhere = not getattr(builder, 'FETCHED', True)
    return first is None or stay_elsewhere or Path(first['path']).is_relative_to(_home(builder))


def _build(builder: Any) -> None:
    """Writes what is missing of records, lists and arrays: these last, for they say that all is there."""
    _log.info('Building the dataset %s in %s', builder.info.full_name, _home(builder))
    with _quiet():
        _write_records(builder)
        if hasattr(builder, 'raw_examples'):
            _write_lists(builder)
        if not arrays(builder).exists():
            _write_arrays(builder)


def _write_lists(builder: Any) -> None:
    """Writes the list of each split, whatever was there."""
    folder = lists(builder)
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
    folder = arrays(builder)
    aside = folder.with_name(INCOMPLETE + folder.name)
    shutil.rmtree(aside, ignore_errors=True)
    for split in builder.info.splits:
        _write_split(aside / split, records(builder, split), builders.spec(builder))
        for name in builders.encoded(builder):
            _write_encoded(aside / split, name, records(builder, split), lists(builder) / f'{split}.csv')
    (aside / 'fingerprint.txt').write_text(fingerprint(aside) + '\n')
    aside.rename(folder)


def records(builder: Any, split: str) -> Any:
    """Returns the examples of a split by their records, images of varying size as in their files."""
    return builder.as_data_source(split, decoders=decoders(builder))


def decoders(builder: Any) -> dict[str, Any] | None:
    """Returns what has TFDS leave images of varying size as they are."""
    import tensorflow_datasets as tfds

    return {name: tfds.decode.SkipDecoding() for name in builders.encoded(builder)} or None


def _write_encoded(folder: Path, name: str, examples: Any, originals: Path) -> None:
    """Writes the images of a field one after another, and where each begins; each must be one."""
    offsets = np.zeros(len(examples) + 1, np.int64)
    with (folder / f'{name}.bin').open('wb') as file:
        for index, example in enumerate(examples):
            _check(name, example, originals, folder.parents[1])
            offsets[index + 1] = offsets[index] + file.write(example[name])
    np.save(folder / f'{name}.offsets.npy', offsets)


def _check(name: str, example: Any, originals: Path, records: Path) -> None:
    """Raises `UserError` if an image of an example is damaged."""
    try:
        images.check(example[name])
    except (ValueError, OSError) as error:
        raise UserError(
            f'{origin(example["id"].decode(), originals)}: {name} is damaged: {error}. Mend or replace that '
            f'file, and delete {records}, which holds it as it was.'
        ) from None


def origin(example: str, originals: Path) -> str:
    """Returns words for an example, by its id: with its file, if the list of its split names it."""
    if originals.exists():
        with originals.open(newline='', encoding='utf-8') as file:
            for row in csv.DictReader(file):
                if row['id'] == example:
                    return f'example {example!r} ({row["path"]})'
    return f'example {example!r}'


def _write_split(folder: Path, examples: Any, spec: Spec) -> None:
    """Writes ids and fields of `examples`, one at a time, for they may be larger than memory."""
    folder.mkdir(parents=True)
    arrays = {
        name: open_memmap(folder / f'{name}.npy', 'w+', each.dtype, (len(examples), *each.shape))
        for name, each in spec.example.items()
    }
    shown = progress_bar.bar(examples, len(examples), f'arrays of {folder.name}')
    with (folder / 'ids.txt').open('w', encoding='utf-8') as ids:
        for index, example in enumerate(shown):
            ids.write(example['id'].decode() + '\n')
            for name, array in arrays.items():
                array[index] = np.reshape(example[name], array.shape[1:])


def fingerprint(folder: Path) -> str:
    """Returns the sha256 over name and content of each file in `folder`.

    Of arrays, not of records: those differ from build to build, for protobuf orders its maps at random.
    """
    sha256 = hashlib.sha256()
    for path in sorted(folder.glob('*/*')):
        with path.open('rb') as file:
            content = hashlib.file_digest(file, 'sha256').hexdigest()
        sha256.update(f'{path.relative_to(folder).as_posix()} {content}\n'.encode())
    return sha256.hexdigest()


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
