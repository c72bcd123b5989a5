"""Checks the original files: their layout, their checksums, and that images can be read."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine import lists
from engine.datasets import progress_bar
from engine.datasets.building import checksums
from engine.datasets.checks.dataset_under_test import DatasetUnderTest, NotApplicable, label
from engine.datasets.reading.any_format import SUFFIXES


def layout(dataset: DatasetUnderTest) -> Iterator[str]:
    """raw/ and toy/ hold the same kinds of files, and tables of the same columns."""
    raw, toy = dataset.workspace_folder / 'raw', dataset.repository_folder / 'toy'
    if not raw.is_dir():
        raise NotApplicable('raw/ exists only after the config full was built')
    in_raw, in_toy = _kinds(raw), _kinds(toy)
    for kind in sorted(in_raw - in_toy):
        yield f'raw/ has {kind}, but {toy} does not'
    for kind in sorted(in_toy - in_raw):
        yield f'{toy} has {kind}, but raw/ does not'


def _kinds(folder: Path) -> set[str]:
    """Returns the kinds of files, such as `images/*.png` or `labels.csv with the columns file, label`."""
    files = (path for path in folder.rglob('*') if path.is_file() and not path.name.startswith('.'))
    return {_kind(path, path.relative_to(folder)) for path in files}


def _kind(path: Path, relative: Path) -> str:
    if len(relative.parts) > 1:
        return f'{relative.parts[0]}/*{path.suffix}'
    if path.suffix in ('.csv', '.tsv'):
        return f'{path.name} with the columns {", ".join(lists.read(path).columns)}'
    if path.suffix == '.npy':
        array = np.load(path, mmap_mode='r')
        return f'{path.name} of {array.dtype} {(None, *array.shape[1:])}'
    return f'*{path.suffix}'


def stated_checksums(dataset: DatasetUnderTest) -> Iterator[str]:
    """The originals match checksums.tsv."""
    dataset.repository_folder  # noqa: B018 (without it, nothing states checksums)
    dataset.raw  # noqa: B018 (it fetches the originals)
    if dataset.is_sample:
        raise NotApplicable('all originals are read without --sample alone')
    for name, problem in _damage(dataset).items():
        yield f'{dataset.originals / name} {problem}'


def _damage(dataset: DatasetUnderTest) -> dict[str, str]:
    """Returns the problem of each original that differs from its checksum."""
    if hasattr(dataset.builder, 'damage'):
        damage = dataset.builder.damage()
        if not damage and (reason := dataset.builder.unstated(dataset.originals)):
            raise NotApplicable(reason)
        return damage
    if not dataset.originals.is_dir():
        raise NotApplicable('there are no originals in raw/')
    stated = checksums.stated(dataset.repository_folder / checksums.FILE, dataset.config)
    return checksums.differences(checksums.measure(dataset.originals), stated)


def files(dataset: DatasetUnderTest) -> Iterator[str]:
    """Every listed file exists and is not empty."""
    for split in dataset.raw:
        rows = dataset.chosen_rows(split)
        for identity, *values in progress_bar.bar(rows, len(rows), f'files of {split}'):
            for path in (value for value in values if isinstance(value, Path)):
                if problem := _file_problem(path):
                    yield f'{label(split, identity)}: {path} {problem}'


def _file_problem(path: Path) -> str:
    if not path.is_absolute():
        return 'is not an absolute path'
    if not path.is_file():
        return 'is missing'
    is_image = path.suffix.lower() in SUFFIXES  # the build names empty images
    return '' if is_image or path.stat().st_size else 'is empty'
