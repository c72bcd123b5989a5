"""The datasets that exist, and the TFDS builder of each.

A dataset of this repository is a folder `data/<name>/`. Its `<name>_dataset_builder.py` holds a TFDS builder
called `Builder`, which must provide:

- `BUILDER_CONFIGS` with `full`, the default, and `toy`. They differ only in the folder that they read.
- Features of fixed shape, apart from texts and images of varying size, Image(shape=(None, None, 3)).
  The text `id` is unique in the dataset and has one line.
- Names of classes: those of a ClassLabel, of a LabeledImage, whose pixels are classes, [H, W], or of a
  Sequence(ClassLabel, length=k), which is padded with -1, [k]. A label without a name is refused.
- `raw_examples()`, which returns `{split: [(id, path, label), ...]}`: each original file, and its label or
  the path of its mask. It fetches missing files. Files lie in the dataset's folder of the workspace,
  `<data_dir>/..`, where a link may lead elsewhere. `_generate_examples` and the lists follow it.
- Boxes of varying number: the padded fields of `building.boxes.padding`, which refuses an example with more.
- `notes()`, if tasks need more of the dataset than its fields, such as a vocabulary: `Spec.notes`.
  `write_notes(folder)` writes large ones beside the arrays, so that the fingerprint covers them.
- Images as paths or as encoded bytes. TFDS would need TensorFlow to encode arrays.

`building.folder_builder.FolderBuilder` does most of this for originals that are files, and
`scripts/dataset.sh check` verifies all of it. A plain TFDS builder, without ids and `raw_examples`, works
too: `building.tfds_catalogue` adapts it.
"""

import importlib
from pathlib import Path
from typing import Any

from engine import workspace
from engine.datasets.catalogue.names import DEFAULT_CONFIG, IMAGES, TEXT, TFDS, DatasetName
from engine.errors import UserError, did_you_mean

# These builders import TensorFlow Datasets, which takes a second, so only the functions that need them do.


def names() -> list[str]:
    """Returns the names of the datasets in `data/`, sorted."""
    builders = (workspace.REPOSITORY / 'data').glob('*/*_dataset_builder.py')
    return sorted(path.parent.name for path in builders if path.stem == f'{path.parent.name}_dataset_builder')


def builder(name: str, to_predict: bool = False) -> Any:
    """Returns the TFDS builder of a dataset. Its records lie in the workspace.

    Args:
      name: `digits`, `digits/toy`, `images:<folder>`, `text:<file>` or `tfds:<dataset>`.
      to_predict: whether a folder of images needs no classes and no training split.

    Raises:
      UserError: there is no such dataset or config.
    """
    parsed = DatasetName.parse(name)
    data_dir = parsed.workspace_folder / 'records'
    if parsed.source == IMAGES:
        from engine.datasets.image_folders import image_folder, image_layout, prediction_layout

        layout = (prediction_layout if to_predict else image_layout).read(parsed.path)
        return image_folder.builder(parsed.path, layout, data_dir)
    if parsed.source == TEXT:
        from engine.datasets.text import options, text_file

        return text_file.builder(parsed.path, options.parse(parsed.options), data_dir)
    if parsed.source == TFDS:
        from engine.datasets.building import tfds_catalogue

        return tfds_catalogue.builder(parsed.dataset, data_dir)
    return _repository_builder(parsed, data_dir)


def _repository_builder(name: DatasetName, data_dir: Path) -> Any:
    """Returns the builder of a dataset in `data/`."""
    dataset = name.dataset
    if dataset not in names():
        if '(' in name.text:
            raise UserError(
                f'{name.text!r} is an expression: give the name of one of the datasets that it is made of.'
            )
        raise UserError(f'There is no dataset {dataset!r} in data/. {did_you_mean(dataset, names())}')
    cls = importlib.import_module(f'data.{dataset}.{dataset}_dataset_builder').Builder
    if not hasattr(cls, 'raw_examples'):
        from engine.datasets.building import tfds_catalogue

        return tfds_catalogue.AdaptedBuilder(cls(config=name.config or None, data_dir=data_dir))
    config = name.config or DEFAULT_CONFIG
    if config not in cls.builder_configs:
        raise UserError(f'{dataset} has no config {config!r}. {did_you_mean(config, cls.builder_configs)}')
    return cls(config=config, data_dir=data_dir)
