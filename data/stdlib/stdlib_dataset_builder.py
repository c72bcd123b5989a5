"""TFDS builder of `stdlib`; engine/datasets/catalogue/builders.py states the contract of builders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from data.stdlib import original
from engine.datasets.building.folder_builder import TOY, FolderBuilder, Original


@dataclass(kw_only=True)
class Config(tfds.core.BuilderConfig):
    """A size of the dataset.

    Attributes:
      splits: number of windows of each split.
    """

    splits: Mapping[str, int]


class Builder(FolderBuilder):
    """Builds `full` from the library of the running Python, `toy` from the files in toy/."""

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        Config(
            name='full',
            description='18,432 windows, of all modules.',
            splits={'train': 16384, 'val': 1024, 'test': 1024},
        ),
        Config(
            name=TOY, description='48 windows, of a few modules.', splits={'train': 32, 'val': 8, 'test': 8}
        ),
    ]
    HOMEPAGE = 'https://docs.python.org/3/library/'

    @property
    def config(self) -> Config:
        """The config of this builder."""
        assert isinstance(self.builder_config, Config)
        return self.builder_config

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the features: the bytes of a window, uint8 [256], padded with zeros, and their number."""
        return {
            'text': tfds.features.Tensor(shape=(original.LENGTH,), dtype=np.uint8),
            'length': tfds.features.Tensor(shape=(), dtype=np.int32),
        }

    def write_originals(self, folder: Path) -> None:
        """Copies the standard library."""
        original.write(folder)

    def read_originals(self, folder: Path) -> dict[str, list[Original]]:
        """Returns id, file and index in the file of each window by split, sorted by id."""
        return {**original.select_windows(folder, self.config.splits)}

    def unstated(self, folder: Path) -> str:
        """Returns the reason that only `toy` has checksums: the library depends on the version of Python."""
        if self.config_name == TOY:
            return ''
        return (
            f'the originals come with Python {original.version(folder)}, and every version has others; '
            'the fingerprint identifies them'
        )

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the bytes of a window, padded with zeros, and their number."""
        text = np.frombuffer(original.read(path, label), np.uint8)
        return {'text': np.pad(text, (0, original.LENGTH - len(text))), 'length': np.int32(len(text))}
