"""The dataset `images:<folder>`: images in any folder, without a builder of their own.

`image_layout` states how the images are arranged. If files are added, removed or replaced by files of another
size, the dataset is built again under another version.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from engine.datasets.building.folder_builder import FolderBuilder
from engine.datasets.image_folders import walk
from engine.datasets.image_folders.image_layout import ImageLayout, Splits


class ImageFolder(FolderBuilder, skip_registration=True):
    """Builds a dataset from the images of a folder. They stay encoded as in their files.

    Args:
      folder: the folder of the images.
      layout: its images. Without classes there is no field `label`.
      kwargs: arguments of `FolderBuilder`.
    """

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = []
    SUPERVISED_KEYS = ('image', 'label')
    FETCHED = False

    def __init__(self, folder: Path, layout: ImageLayout, **kwargs: Any):
        self._folder, self._layout = folder, layout
        super().__init__(**kwargs)

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the image and its class, if there are classes."""
        fields: dict[str, tfds.features.FeatureConnector] = {
            'image': tfds.features.Image(shape=(None, None, 3))
        }
        if classes := _classes(self._layout.splits):
            fields['label'] = tfds.features.ClassLabel(names=classes)
        return fields

    def originals(self) -> Path:
        """Returns the folder of the images. Nothing is ever written there."""
        return self._folder

    def read_originals(self, folder: Path) -> Splits:
        """Returns id, file and class of each image, by split."""
        return self._layout.splits

    def remarks(self) -> Sequence[str]:
        """Returns what was left out and why, and what else a reader may not expect."""
        left_out = walk.described(self._layout.left_out, self._folder)
        return [*self._layout.notes, *(f'left out, {line}' for line in left_out)]

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the image and its class, if there are classes."""
        return {'image': path} if label is None else {'image': path, 'label': label}

    def _check(self) -> None:
        """Accepts all files, because no checksums are stated for them."""


def builder(folder: Path, layout: ImageLayout, data_dir: Path) -> ImageFolder:
    """Returns the builder of the images in a folder.

    Args:
      folder: the folder.
      layout: its images.
      data_dir: where TFDS writes records.
    """
    name = _digest(folder, layout.splits)
    config = tfds.core.BuilderConfig(name=name, description='The files of this digest.')
    return ImageFolder(folder, layout, config=config, data_dir=data_dir)


def _classes(examples: Splits) -> list[str]:
    """Returns the sorted names of the classes. Names that are all numbers are sorted as numbers."""
    names = {label for rows in examples.values() for _, _, label in rows if label is not None}
    if not all(map(str.isdecimal, names)):
        return sorted(names)
    return sorted(names, key=lambda name: (int(name), name))  # 1 and 01 are two classes


def _digest(folder: Path, examples: Splits) -> str:
    """Returns a digest of the ids, relative paths, classes and sizes of all files.

    Without a split to train on, times count too: photographs to predict are often replaced. With one, they do
    not, because a copy of the folder has other times and the same images.
    """
    sha256 = hashlib.sha256()
    for split, rows in examples.items():
        for identity, path, label in rows:
            status = path.stat()
            time = None if 'train' in examples else status.st_mtime_ns
            file = split, identity, _relative(path, folder), label, status.st_size, time
            sha256.update(repr(file).encode())
    return sha256.hexdigest()[:8]


def _relative(path: Path, folder: Path) -> str:
    """Returns a path relative to a folder."""
    text, start = str(path), f'{folder}/'
    is_below = text.startswith(start) and '/../' not in text
    return text[len(start) :] if is_below else os.path.relpath(path, folder)  # which is slow, for a million
