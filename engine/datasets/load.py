"""Loads a dataset by its name. A dataset that is not built yet is built first."""

import logging
import re
from functools import partial
from pathlib import Path
from typing import Any

from engine.datasets.building import build, features
from engine.datasets.catalogue import builders
from engine.datasets.reading.dataset import Dataset, damaged
from engine.datasets.reading.image_report import ImageReport
from engine.datasets.reading.unusable_images import FILE

_log = logging.getLogger(__name__)


def load(name: str, allow_damaged: float = 0.0, to_predict: bool = False) -> Dataset:
    """Returns a dataset, and builds it first if it is not built yet.

    >>> digits = load('digits/toy')
    >>> digits.splits
    {'train': 30, 'val': 10, 'test': 20}
    >>> digits.split('train').arrays['image'].shape
    (30, 8, 8, 1)

    Args:
      name: `digits`, `digits/toy`, `images:<folder>`, `text:<file>` or `tfds:<dataset>`.
      allow_damaged: the share of the examples that a build may leave out, because their images are damaged.
        A dataset that is already built stays as it is.
      to_predict: whether a folder of images needs no classes and no training split.

    Raises:
      UserError: there is no such dataset or config, or more of its original files are damaged.
    """
    builder = prepare(name, allow_damaged, to_predict)
    folder = build.arrays_folder(builder)
    report = ImageReport.read(folder)
    total = sum(info.num_examples for info in builder.info.splits.values())
    if report.left_out:
        unusable = build.lists_folder(builder) / FILE
        _log.warning('%s leaves out %d of %d examples: %s', name, len(report.left_out), total, unusable)
    return Dataset(
        name=name,
        version=str(builder.version),
        fingerprint=_fingerprint(folder / 'fingerprint.txt'),
        spec=features.spec(builder),
        splits={
            split: info.num_examples - len(report.left_out_of(split))
            for split, info in builder.info.splits.items()
        },
        folder=folder,
        lists=build.lists_folder(builder),
        encoded=features.encoded_channels(builder),
        images=report,
    )


def _fingerprint(path: Path) -> str:
    """Returns the fingerprint of the arrays. Raises `UserError` if its file is damaged."""
    text = path.read_text(encoding='utf-8', errors='replace').strip() if path.is_file() else ''
    if not re.fullmatch('[0-9a-f]{64}', text):
        raise damaged(path, 'it holds no sha256')
    return text


def prepare(name: str, allow_damaged: float = 0.0, to_predict: bool = False) -> Any:
    """Builds a dataset if it is not built yet, and returns its TFDS builder.

    Several processes may call this at once, and a killed build is completed by the next call.

    Args:
      name: as for `load`.
      allow_damaged: as for `load`.
      to_predict: as for `load`.

    Raises:
      UserError: there is no such dataset or config, or its original files are damaged.
    """
    return build.prepare(partial(builders.builder, name, to_predict), allow_damaged)
