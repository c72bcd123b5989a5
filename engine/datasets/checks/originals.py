"""The original files: laid out alike, as stated, there and readable."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.datasets import progress_bar
from engine.datasets.building import checksums
from engine.datasets.checks.subject import NotApplicable, Subject, examples, said, which


def layout(subject: Subject) -> Iterator[str]:
    """raw/ and toy/ hold the same kinds of files, and tables of the same columns."""
    raw, toy = subject.bytes / 'raw', subject.folder / 'toy'
    if not raw.is_dir():
        raise NotApplicable('raw/ is not there before the config full is built')
    in_raw, in_toy = _kinds(raw), _kinds(toy)
    for kind in sorted(in_raw - in_toy):
        yield f'raw/ has {kind}, and {toy} has not'
    for kind in sorted(in_toy - in_raw):
        yield f'{toy} has {kind}, and raw/ has not'


def _kinds(folder: Path) -> set[str]:
    """Returns what there is: `images/*.png`, or `labels.csv with the columns file, label`."""
    files = (path for path in folder.rglob('*') if path.is_file() and not path.name.startswith('.'))
    return {_kind(path, path.relative_to(folder)) for path in files}


def _kind(path: Path, relative: Path) -> str:
    if len(relative.parts) > 1:
        return f'{relative.parts[0]}/*{path.suffix}'
    if path.suffix in ('.csv', '.tsv'):
        with path.open(newline='', encoding='utf-8') as file:
            columns = next(csv.reader(file, delimiter=',' if path.suffix == '.csv' else '\t'), [])
        return f'{path.name} with the columns {", ".join(columns)}'
    if path.suffix == '.npy':
        array = np.load(path, mmap_mode='r')
        return f'{path.name} of {array.dtype} {(None, *array.shape[1:])}'
    return f'*{path.suffix}'


def stated_checksums(subject: Subject) -> Iterator[str]:
    """The originals are those that checksums.tsv states."""
    subject.folder  # noqa: B018 (without it nothing is stated)
    subject.raw  # noqa: B018 (it fetches them)
    if hasattr(subject.builder, 'damage'):
        wrong = subject.builder.damage()
        if not wrong and (reason := subject.builder.unstated(subject.originals)):
            raise NotApplicable(reason)
    elif subject.originals.is_dir():
        stated = checksums.stated(subject.folder / checksums.FILE, subject.config)
        wrong = checksums.differences(checksums.measure(subject.originals), stated)
    else:
        raise NotApplicable('there are no originals in raw/')
    for name, what in wrong.items():
        yield f'{subject.originals / name} {what}'


def files(subject: Subject) -> Iterator[str]:
    """Every listed file is there, not empty, and of the stated size and channels if it is an image."""
    for split, rows in subject.raw.items():
        for identity, path, label in progress_bar.bar(rows, len(rows), f'files of {split}'):
            for each in filter(lambda each: isinstance(each, Path), (path, label)):
                if wrong := _wrong_file(each):
                    yield f'{which(split, identity)}: {each} {wrong}'
    yield from _wrong_images(subject)


def _wrong_file(path: Path) -> str:
    if not path.is_absolute():
        return 'is no absolute path'
    if not path.is_file():
        return 'is missing'
    return '' if path.stat().st_size else 'is empty'


def _wrong_images(subject: Subject) -> Iterator[str]:
    """Yields what is wrong with images that go to TFDS as they are."""
    images = subject.fields('Image', 'LabeledImage')
    features = subject.builder.info.features
    for split, (identity, _, _), example in examples(subject):
        for field in images if isinstance(example, dict) else ():
            path = example[field]
            if isinstance(path, str | Path) and Path(path).is_file():
                wrong = _wrong_image(Path(path), features[field])
                if wrong:
                    yield f'{which(split, identity)}: {path} {wrong}'


def _wrong_image(path: Path, feature: Any) -> str:
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height, channels = *image.size, len(image.getbands())
            deep = image.mode in ('I', 'F') or image.mode.startswith('I;16')
    except (OSError, ValueError) as error:
        return f'cannot be read: {said(error)}'
    found, stated = (height, width, channels), tuple(feature.shape)
    if any(there != need for there, need in zip(found, stated, strict=True) if need is not None):
        return f'is {found} (height, width, channels), and the builder states {stated}'
    if deep and np.dtype(feature.np_dtype) == np.uint8:
        return f'has pixels of the mode {image.mode}, and the builder states uint8'
    return ''
