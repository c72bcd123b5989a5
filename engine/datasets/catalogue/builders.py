"""What datasets there are, and the TFDS builder of each.

A dataset of this repository is a folder `data/<name>/`. Its `<name>_dataset_builder.py` holds a TFDS builder
called `Builder`, which owes this:

- `BUILDER_CONFIGS` has `full`, meant where none is named, and `toy`. Only the folder they read differs.
- Its features have fixed shapes, except texts and images of varying size, Image(shape=(None, None, 3)).
  The text `id` is unique in the dataset, and one line.
- Classes have names: those of a ClassLabel, or of a LabeledImage, which is a class for each pixel, [H, W].
- `raw_examples()` returns `{split: [(id, path, label), ...]}`: each original file, and its label or the path
  of its mask. Files lie in the dataset's folder of the workspace, `<data_dir>/..`; a link there may lead
  elsewhere. It fetches those that are missing. `_generate_examples` goes by it, and so do the lists.
- Images are handed to TFDS as paths or as encoded bytes; arrays it would encode by TensorFlow.

`builder.FolderBuilder` does most of it for originals that are files; `scripts/dataset.sh check` looks whether
all of it is kept. A plain builder of TFDS's, without ids and `raw_examples`, serves too: `tfds_catalogue`.
"""

import importlib
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine import workspace
from engine.datasets.catalogue.names import IMAGES, TFDS, Name
from engine.errors import UserError, did_you_mean
from engine.interfaces import Spec

# TensorFlow Datasets takes a second to import: only functions that need it do, so that `--help` is quick.

DEFAULT_CONFIG = 'full'


def names() -> list[str]:
    """Returns the names of the datasets in `data/`, sorted."""
    builders = (workspace.REPOSITORY / 'data').glob('*/*_dataset_builder.py')
    return sorted(path.parent.name for path in builders if path.stem == f'{path.parent.name}_dataset_builder')


def builder(name: str) -> Any:
    """Returns the TFDS builder of `name`, with its records in the workspace.

    Args:
      name: as `names.Name` has it: `digits`, `digits/toy`, `images:<folder>` or `tfds:<dataset>`.

    Raises:
      UserError: there is no such dataset or config.
    """
    found = Name.parse(name)
    data_dir = found.home / 'records'
    if found.source == IMAGES:
        from engine.datasets.building import image_folder

        return image_folder.builder(found, data_dir)
    if found.source == TFDS:
        from engine.datasets.building import tfds_catalogue

        return tfds_catalogue.builder(found.dataset, data_dir)
    return _ours(found, data_dir)


def _ours(name: Name, data_dir: Path) -> Any:
    """Returns the builder of a dataset of this repository."""
    dataset = name.dataset
    if dataset not in names():
        raise UserError(f'There is no dataset {dataset!r} in data/. {did_you_mean(dataset, names())}')
    cls = importlib.import_module(f'data.{dataset}.{dataset}_dataset_builder').Builder
    if not hasattr(cls, 'raw_examples'):
        from engine.datasets.building import tfds_catalogue

        return tfds_catalogue.Catalogued(cls(config=name.config or None, data_dir=data_dir))
    config = name.config or DEFAULT_CONFIG
    if config not in cls.builder_configs:
        raise UserError(f'{dataset} has no config {config!r}. {did_you_mean(config, cls.builder_configs)}')
    return cls(config=config, data_dir=data_dir)


def spec(builder: Any) -> Spec:
    """Returns what the builder's features promise, images of varying size apart.

    Raises `UserError` if another feature has no fixed shape.
    """
    import tensorflow_datasets as tfds

    features = {
        name: each
        for name, each in builder.info.features.items()
        if not isinstance(each, tfds.features.Text) and name not in encoded(builder)
    }
    labels = tfds.features.ClassLabel, tfds.features.LabeledImage
    classes = [each.names for each in features.values() if isinstance(each, labels)]
    example = {name: _shape(builder.name, name, each) for name, each in features.items()}
    return Spec(example, tuple(classes[0]) if classes else ())


def encoded(builder: Any) -> dict[str, int]:
    """Returns the images of varying size, which are kept as in their files: their channels by field."""
    return {name: each.shape[-1] or 3 for name, each in builder.info.features.items() if _varies(each)}


def _varies(feature: Any) -> bool:
    """Whether a feature is images of bytes whose height or width is open."""
    import tensorflow_datasets as tfds

    shape: Any = feature.shape
    # No LabeledImage: there is no class between two classes.
    return type(feature) is tfds.features.Image and None in shape and feature.np_dtype == np.uint8


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
