"""Builds a dataset in the workspace: records, lists, arrays.

The dataset's folder `data/<name>/` of the workspace then holds, beside the original files (`raw/`, `toy/`):

    lists/<config>/<split>.csv                  id,path,label
    records/<name>/<config>/<version>/          ArrayRecord files, written by TFDS
    records/<name>/<config>/<version>/arrays/   checksums.txt, fingerprint.txt, <split>/{ids.txt,<field>.npy}
                                                for images of varying size <field>.bin, <field>.offsets.npy

Each file or folder appears whole, and the arrays come last. After a kill, the next call deletes what is
incomplete and makes what is missing.
"""

import contextlib
import csv
import fcntl
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from engine import files, workspace
from engine.datasets.building import arrays, features, ids, labels, report
from engine.datasets.building.image_fields import image_fields, records
from engine.datasets.reading import image_report, integrity
from engine.datasets.reading.lists import describe_example
from engine.datasets.reading.unusable_images import check_allowed, check_share
from engine.errors import UserError

# TensorFlow Datasets takes a second to import, so only the functions that need it import it.

ENCODING = 'Failed to encode example'  # the start of TFDS's message about an example that does not fit
MAX_REASON = 300  # characters of TFDS's reason
TFDS_INCOMPLETE = 'incomplete.'  # the prefix of folders that TFDS has not completed

_log = logging.getLogger(__name__)


def prepare(make_builder: Callable[[], Any], allow_damaged: float = 0.0) -> Any:
    """Builds a dataset unless it is complete, and updates its lists if the workspace has moved.

    Several processes may call this at once: one builds, the others wait.

    Args:
      make_builder: returns a new TFDS builder of the dataset.
      allow_damaged: the share of the examples that a build may leave out, because their images are damaged.

    Returns:
      A builder that has read the built dataset.

    Raises:
      UserError: the original files are damaged.
    """
    check_allowed(allow_damaged)
    builder = make_builder()
    if not _is_complete(builder):
        with _lock(home(builder)):
            builder = make_builder()  # another process may have built the dataset while this one waited
            if image_report.has_changed_image(arrays_folder(builder)):
                _log.info('An image that was left out has changed: the dataset is built again.')
                shutil.rmtree(builder.data_dir)
                builder = make_builder()
            if not _is_complete(builder):
                _build(builder, allow_damaged)
    return builder


def home(builder: Any) -> Path:
    """Returns the dataset's folder in the workspace."""
    return Path(builder.data_dir_root).parent


def arrays_folder(builder: Any) -> Path:
    """Returns the folder of a dataset's arrays. If it exists, the records are complete too."""
    return Path(builder.data_dir) / integrity.ARRAYS


def lists_folder(builder: Any) -> Path:
    """Returns the folder of a dataset's lists."""
    return home(builder) / 'lists' / builder.builder_config.name


def _is_complete(builder: Any) -> bool:
    """Whether arrays exist and are current, and lists give the present places of the original files."""
    if not arrays_folder(builder).exists() or image_report.has_changed_image(arrays_folder(builder)):
        return False
    return not hasattr(builder, 'raw_examples') or all(
        _is_list_current(builder, split) for split in builder.info.splits
    )


def _is_list_current(builder: Any, split: str) -> bool:
    """Whether the list of a split exists and was written after the workspace came to its present place."""
    path = lists_folder(builder) / f'{split}.csv'
    if not path.exists():
        return False
    with path.open(newline='', encoding='utf-8') as file:
        first = next(csv.DictReader(file), None)
    are_elsewhere = not getattr(builder, 'FETCHED', True)
    return first is None or are_elsewhere or Path(first['path']).is_relative_to(home(builder))


def _build(builder: Any, allow_damaged: float) -> None:
    """Writes records, lists and arrays. The arrays come last, because they mark a complete dataset."""
    _log.info('Building the dataset %s in %s', builder.info.full_name, home(builder))
    _remove_leftovers(builder)
    with _quiet():
        if hasattr(builder, 'raw_examples'):
            ids.check(builder.raw_examples())
        _prepare_records(builder)
        if hasattr(builder, 'raw_examples'):
            _write_lists(builder)
        if not arrays_folder(builder).exists():
            _write_arrays(builder, allow_damaged)
            _log.info('%s', report.read(arrays_folder(builder)))


def _prepare_records(builder: Any) -> None:
    """Writes the records. Raises `UserError` if an example is not what the features state."""
    from engine.datasets.building.without_tensorflow import without_tensorflow

    try:
        with without_tensorflow(builder.name):  # TFDS uses it to sort more than 1 GB
            builder.download_and_prepare(file_format='array_record')
    except Exception as error:  # TFDS raises what the feature raised, with the whole example in its text
        if not str(error).startswith(ENCODING):
            raise
        reason = ' '.join(str(error).rpartition('\nIn ')[2].split())[:MAX_REASON]
        raise UserError(
            f'{builder.name}: an example does not fit its features, in {reason}. Correct the example or the '
            'features in the builder.'
        ) from error


def _write_arrays(builder: Any, allow_damaged: float) -> None:
    """Writes the arrays and the report, once images and labels are checked."""
    splits, lists = {split: records(builder, split) for split in builder.info.splits}, lists_folder(builder)
    spec = features.spec(builder)
    try:
        with files.atomic_folder(arrays_folder(builder)) as folder:
            if hasattr(builder, 'write_notes'):
                builder.write_notes(folder)
            images = arrays.write(folder, spec.example, image_fields(builder), splits)
            counts = {split: len(examples) for split, examples in splits.items()}
            check_share(images, counts, allow_damaged, lists)
            images.write(folder)
            labels.check(folder, list(splits), spec, partial(_describe, lists))
            report.write(builder, folder)
    except UserError:
        if _is_own(builder):  # the next build must read repaired files and builders
            shutil.rmtree(builder.data_dir)
        raise


def _is_own(builder: Any) -> bool:
    """Whether the user may repair the builder or its originals, unlike those of TFDS's catalogue."""
    code = Path(str(builder.code_path))
    return hasattr(builder, 'raw_examples') or code.is_relative_to(workspace.REPOSITORY / 'data')


def _describe(lists: Path, split: str, identity: str) -> str:
    """Returns the name of an example for messages."""
    return describe_example(identity, lists / f'{split}.csv')


def _remove_leftovers(builder: Any) -> None:
    """Deletes what killed builds left incomplete. The dataset's lock must be held."""
    for folder in Path(builder.data_dir).parent.glob(f'{TFDS_INCOMPLETE}*'):
        shutil.rmtree(folder)
    for folder in (home(builder), lists_folder(builder), Path(builder.data_dir)):
        names = {files.original_name(path.name) for path in folder.glob('.*.tmp')}
        for name in names:
            files.remove_leftovers(folder / name)


def _write_lists(builder: Any) -> None:
    """Writes the list of each split, and replaces an older one."""
    folder = lists_folder(builder)
    folder.mkdir(parents=True, exist_ok=True)
    for split, examples in builder.raw_examples().items():
        with (
            files.atomic_file(folder / f'{split}.csv') as temporary,
            temporary.open('w', newline='', encoding='utf-8') as file,
        ):
            csv.writer(file, lineterminator='\n').writerows([('id', 'path', 'label'), *examples])


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Lets one process at a time write into `folder`. The system frees the lock of a killed process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / '.lock').open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.info('Another process is building in %s. Waiting for it.', folder)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences TFDS: its banners, its advice to install OpenCV, and its progress bars outside a terminal."""
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
