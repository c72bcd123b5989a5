"""Images in a folder, one that knows nothing of this repository: `dataset = 'images:<folder>'`.

Either a folder for each class in one for each split, or a list for each split:

    train/<class>/*.jpg     train.csv    path,label or path,label,id; paths start at the folder
    val/<class>/*.jpg       val.csv
    test/<class>/*.jpg      test.csv

`valid` and `validation` are val too. Where there is none, every tenth example of train is, by the digest of
its id. When files come or go it is another dataset, which is built anew.
"""

import csv
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from engine.datasets.building.builder import FolderBuilder, Original
from engine.datasets.catalogue.names import Name
from engine.errors import UserError

ENDINGS = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
SPLITS = {'train': 'train', 'val': 'val', 'valid': 'val', 'validation': 'val', 'test': 'test'}
HELD_OUT = 10  # of so many examples of train one is val, where there is no other
COLUMNS = ('path', 'label')
LAYOUTS = 'train/<class>/*.jpg or train.csv with the columns path,label; likewise val and test'

Examples = dict[str, list[Original]]


class ImageFolder(FolderBuilder, skip_registration=True):
    """Builds the images of a folder, each kept as in its file.

    Args:
      name: of the dataset.
      examples: id, file and class of each, by split.
      kwargs: of every builder.
    """

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = []
    SUPERVISED_KEYS = ('image', 'label')
    FETCHED = False

    def __init__(self, name: Name, examples: Examples, **kwargs: Any):
        self._folder, self._examples = name.path, examples
        super().__init__(**kwargs)

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the image and its class."""
        return {
            'image': tfds.features.Image(shape=(None, None, 3)),
            'label': tfds.features.ClassLabel(names=_classes(self._examples)),
        }

    def originals(self) -> Path:
        """Returns the folder, which is not ours to write to."""
        return self._folder

    def read_originals(self, folder: Path) -> Examples:
        """Returns id, file and class of each image, by split."""
        return self._examples

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the image and its class."""
        return {'image': path, 'label': label}

    def _check(self) -> None:
        """Does nothing: nobody has stated how these files should be."""


def builder(name: Name, data_dir: Path) -> ImageFolder:
    """Returns the builder of the images in a folder.

    Raises:
      UserError: if the folder holds none, or not as it should.
    """
    examples = read(name.path)
    config = tfds.core.BuilderConfig(name=_digest(name.path, examples), description='The files of this name.')
    return ImageFolder(name, examples, config=config, data_dir=data_dir)


def read(folder: Path) -> Examples:
    """Returns id, file and class of each image in `folder`, by split; raises `UserError` if none."""
    if not folder.is_dir():
        raise UserError(f'There is no folder {folder}.')
    examples: Examples = {}
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
    """Returns the images in `<class>/`, however deep below."""
    examples = []
    for path in sorted(path for path in folder.rglob('*') if path.suffix.lower() in ENDINGS):
        inside = path.relative_to(folder)
        if len(inside.parts) == 1:
            raise UserError(f'{path} lies in no class: it should be {folder}/<class>/{path.name}.')
        examples.append((f'{folder.name}/{inside.as_posix()}', path, inside.parts[0]))
    return examples


def _from_list(file: Path) -> list[Original]:
    """Returns the images that a list names."""
    with file.open(newline='', encoding='utf-8') as lines:
        table = csv.DictReader(lines)
        missing = [column for column in COLUMNS if column not in (table.fieldnames or ())]
        if missing:
            raise UserError(f'{file}:1: no column {missing[0]!r}; the first line is {",".join(COLUMNS)}.')
        examples = []
        for row in table:
            path = file.parent / (row['path'] or '')
            if not path.is_file():
                raise UserError(f'{file}:{table.line_num}: there is no file {path}.')
            examples.append((row.get('id') or row['path'], path, row['label']))
    return examples


def _held_out(examples: Iterable[Original]) -> Examples:
    """Returns train and val of the examples of train alone."""
    parts: Examples = {'train': [], 'val': []}
    for example in examples:
        digest = hashlib.sha256(example[0].encode()).digest()
        parts['train' if int.from_bytes(digest[:8]) % HELD_OUT else 'val'].append(example)
    return parts


def _classes(examples: Examples) -> list[str]:
    """Returns the names of the classes, in their order: that of numbers where all are numbers."""
    names = {label for rows in examples.values() for _, _, label in rows}
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)


def _digest(folder: Path, examples: Examples) -> str:
    """Returns a digest of the names and classes of all files."""
    sha256 = hashlib.sha256()
    for split, rows in examples.items():
        for identity, path, label in rows:
            sha256.update(repr((split, identity, os.path.relpath(path, folder), label)).encode())
    return sha256.hexdigest()[:8]
