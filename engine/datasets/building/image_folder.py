"""The dataset `images:<folder>`: images in any folder, without a builder of their own.

The folder holds either a folder for each class below one for each split, or a list for each split:

    train/<class>/*.jpg     train.csv    path,label or path,label,id; paths are relative to the folder
    val/<class>/*.jpg       val.csv
    test/<class>/*.jpg      test.csv

`valid` and `validation` mean val too. Without any of them, about a tenth of train becomes val, chosen by the
sha256 of the ids. If files are added or removed, the dataset is built again under another version.
"""

import csv
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from engine.datasets.building.folder_builder import FolderBuilder, Original
from engine.errors import UserError

SUFFIXES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
SPLITS = {'train': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val', 'test': 'test'}
HELD_OUT = 10  # one in so many examples of train becomes val, if there is no val
COLUMNS = ('path', 'label')
LAYOUTS = 'train/<class>/*.jpg or train.csv with the columns path,label; likewise val and test'

Splits = dict[str, list[Original]]


class ImageFolder(FolderBuilder, skip_registration=True):
    """Builds a dataset from the images of a folder. They stay encoded as in their files.

    Args:
      folder: the folder of the images.
      examples: id, file and class of each image, by split.
      kwargs: arguments of `FolderBuilder`.
    """

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = []
    SUPERVISED_KEYS = ('image', 'label')
    FETCHED = False

    def __init__(self, folder: Path, examples: Splits, **kwargs: Any):
        self._folder, self._examples = folder, examples
        super().__init__(**kwargs)

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the image and its class."""
        return {
            'image': tfds.features.Image(shape=(None, None, 3)),
            'label': tfds.features.ClassLabel(names=_classes(self._examples)),
        }

    def originals(self) -> Path:
        """Returns the folder of the images. Nothing is ever written there."""
        return self._folder

    def read_originals(self, folder: Path) -> Splits:
        """Returns id, file and class of each image, by split."""
        return self._examples

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the image and its class."""
        return {'image': path, 'label': label}

    def _check(self) -> None:
        """Accepts all files, because no checksums are stated for them."""


def builder(folder: Path, data_dir: Path) -> ImageFolder:
    """Returns the builder of the images in a folder.

    Raises:
      UserError: the folder holds no images, or its layout is wrong.
    """
    examples = read(folder)
    config = tfds.core.BuilderConfig(name=_digest(folder, examples), description='The files of this digest.')
    return ImageFolder(folder, examples, config=config, data_dir=data_dir)


def read(folder: Path) -> Splits:
    """Returns id, file and class of each image in `folder`, by split. Raises `UserError` if there is none."""
    if not folder.is_dir():
        raise UserError(f'There is no folder {folder}.')
    examples: Splits = {}
    for stem, split in SPLITS.items():
        if (folder / f'{stem}.csv').is_file():
            examples[split] = _from_list(folder / f'{stem}.csv')
        elif (folder / stem).is_dir() and split not in examples:
            examples[split] = _from_folders(folder / stem)
    if not examples.get('train'):
        raise UserError(f'{folder} holds no images to train on. It should hold {LAYOUTS}.')
    if 'val' not in examples:
        examples |= _held_out(examples['train'])
    return {split: examples[split] for split in ('train', 'val', 'test') if split in examples}


def _from_folders(folder: Path) -> list[Original]:
    """Returns the images below `<class>/`, at any depth."""
    examples = []
    for path in sorted(path for path in folder.rglob('*') if path.suffix.lower() in SUFFIXES):
        inside = path.relative_to(folder)
        if len(inside.parts) == 1:
            raise UserError(
                f'{path} is not in the folder of a class. Move it to {folder}/<class>/{path.name}.'
            )
        examples.append((f'{folder.name}/{inside.as_posix()}', path, inside.parts[0]))
    return examples


def _from_list(file: Path) -> list[Original]:
    """Returns the images that a list names."""
    with file.open(newline='', encoding='utf-8') as lines:
        table = csv.DictReader(lines)
        missing = [column for column in COLUMNS if column not in (table.fieldnames or ())]
        if missing:
            raise UserError(
                f'{file}:1: there is no column {missing[0]!r}. The first line must be {",".join(COLUMNS)}.'
            )
        examples = []
        for row in table:
            path = file.parent / (row['path'] or '')
            if not path.is_file():
                raise UserError(f'{file}:{table.line_num}: there is no file {path}.')
            examples.append((row.get('id') or row['path'], path, row['label']))
    return examples


def _held_out(examples: Iterable[Original]) -> Splits:
    """Splits the examples of train into train and val."""
    parts: Splits = {'train': [], 'val': []}
    for example in examples:
        digest = hashlib.sha256(example[0].encode()).digest()
        parts['train' if int.from_bytes(digest[:8]) % HELD_OUT else 'val'].append(example)
    return parts


def _classes(examples: Splits) -> list[str]:
    """Returns the sorted names of the classes. Names that are all numbers are sorted as numbers."""
    names = {label for rows in examples.values() for _, _, label in rows}
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)


def _digest(folder: Path, examples: Splits) -> str:
    """Returns a digest of the ids, relative paths and classes of all files."""
    sha256 = hashlib.sha256()
    for split, rows in examples.items():
        for identity, path, label in rows:
            sha256.update(repr((split, identity, os.path.relpath(path, folder), label)).encode())
    return sha256.hexdigest()[:8]
