"""Loads a dataset by its name. A dataset that is not built yet is built first."""

from functools import partial
from typing import Any

from engine.datasets.building import build, features
from engine.datasets.catalogue import builders
from engine.datasets.reading.dataset import Dataset


def load(name: str) -> Dataset:
    """Returns a dataset, and builds it first if it is not built yet.

    >>> digits = load('digits/toy')
    >>> digits.splits
    {'train': 30, 'val': 10, 'test': 20}
    >>> digits.split('train').arrays['image'].shape
    (30, 8, 8, 1)

    Args:
      name: `digits`, `digits/toy`, `images:<folder>` or `tfds:<dataset>`.

    Raises:
      UserError: there is no such dataset or config, or its original files are damaged.
    """
    builder = prepare(name)
    folder = build.arrays_folder(builder)
    return Dataset(
        name=name,
        version=str(builder.version),
        fingerprint=(folder / 'fingerprint.txt').read_text().strip(),
        spec=features.spec(builder),
        splits={split: info.num_examples for split, info in builder.info.splits.items()},
        folder=folder,
        lists=build.lists_folder(builder),
        encoded=features.encoded_channels(builder),
    )


def prepare(name: str) -> Any:
    """Builds a dataset if it is not built yet, and returns its TFDS builder.

    Several processes may call this at once, and a killed build is completed by the next call.

    Args:
      name: as for `load`.

    Raises:
      UserError: there is no such dataset or config, or its original files are damaged.
    """
    return build.prepare(partial(builders.builder, name))
