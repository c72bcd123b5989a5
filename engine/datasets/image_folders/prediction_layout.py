"""Which images a folder holds for prediction alone: they need no classes and no training split.

    val/<class>/*.jpg       splits without train, if no image lies elsewhere
    test/<class>/*.jpg
    *.jpg, **/*.jpg         otherwise all images are one split, `images`

If each image lies in a subfolder, the first one is its label: a task that knows classes of these names gets
them. Folders that are trained on are read as for training.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.datasets.image_folders import image_layout, walk
from engine.datasets.image_folders.image_layout import ImageLayout
from engine.datasets.reading.any_format import SUFFIXES
from engine.errors import UserError

SPLIT = 'images'


def read(folder: Path) -> ImageLayout:
    """Returns the images of a folder to predict.

    Raises:
      UserError: there are none, or a file or a list cannot be read.
    """
    sources = image_layout.sources(folder)
    if sources['train']:
        return image_layout.read(folder)
    found = walk.walk(folder, SUFFIXES, 'images')
    if _has_splits(sources, found.files):
        return image_layout.read(folder, needs_train=False)
    if not found.files:
        left_out = ''.join(f'\n  {line}' for line in walk.described(found.left_out, folder))
        raise UserError(f'{folder} holds no images to predict.{" Left out:" if left_out else ""}{left_out}')
    names = [os.path.relpath(path, folder) for path in found.files]
    labels = [name.partition('/')[0] if '/' in name else '' for name in names]
    are_labels = all(label and label == label.strip() for label in labels)
    rows = [
        (name, Path(path), label if are_labels else None)
        for name, path, label in zip(names, found.files, labels, strict=True)
    ]
    return ImageLayout({SPLIT: rows}, found.left_out)


def _has_splits(sources: Mapping[str, Path | None], images: Sequence[str]) -> bool:
    """Whether lists, or folders of classes, state the splits of all images."""
    parts = [source for source in sources.values() if source]
    if any(source.is_file() for source in parts):
        return True
    return bool(images) and all(_is_in_class(Path(path), parts) for path in images)


def _is_in_class(image: Path, parts: list[Path]) -> bool:
    return any(len(image.relative_to(part).parts) > 1 for part in parts if image.is_relative_to(part))
