"""TFDS builder of `shapes`; engine/datasets/catalogue/builders.py states the contract of builders."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from data.shapes import original
from engine.datasets.building.folder_builder import FolderBuilder, Original


@dataclass(kw_only=True)
class Config(tfds.core.BuilderConfig):
    """A size of the dataset.

    Attributes:
      side: height and width of a scene in pixels.
      encoding: format of the images, `png` or `jpeg`.
      splits: number of scenes of each split.
    """

    side: int = original.SIDE
    encoding: str = 'png'
    splits: Mapping[str, int]


class Builder(FolderBuilder):
    """Builds `full` and `large` from scenes rendered here, `toy` from the files in toy/."""

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        Config(name='full', description='All 1,800 scenes.', splits=original.SPLITS),
        Config(
            name='toy', description='The first few of each split.', splits={'train': 12, 'val': 4, 'test': 4}
        ),
        Config(
            name='large',
            description='160 scenes of 512x512 pixels, as JPEG.',
            side=512,
            encoding='jpeg',
            splits={'train': 120, 'val': 20, 'test': 20},
        ),
    ]
    SUPERVISED_KEYS = ('image', 'mask')
    ORIGIN = 'the installed Pillow or NumPy renders differently from the versions in requirements.txt'

    @property
    def config(self) -> Config:
        """The config of this builder."""
        assert isinstance(self.builder_config, Config)
        return self.builder_config

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the features: image, mask, instances, and boxes and classes of the objects."""
        side, encoding = self.config.side, self.config.encoding
        boxes = (
            'Around the visible part of each object: x0, y0, x1, y1 in pixels, excluding the ends; '
            '0 where there is none.'
        )
        return {
            'image': tfds.features.Image(shape=(side, side, 3), encoding_format=encoding),
            'mask': tfds.features.LabeledImage(
                labels=list(original.CLASSES), shape=(side, side, 1), encoding_format='png'
            ),
            'instances': tfds.features.Image(
                shape=(side, side, 1),
                encoding_format='png',
                doc='Object of each pixel; 0 where there is none.',
            ),
            'boxes': tfds.features.Tensor(shape=(original.MAX_OBJECTS, 4), dtype=np.float32, doc=boxes),
            'classes': tfds.features.Sequence(
                tfds.features.ClassLabel(names=list(original.CLASSES)),
                length=original.MAX_OBJECTS,
                doc='Class of each object; -1 where there is none.',
            ),
        }

    def write_originals(self, folder: Path) -> None:
        """Renders the scenes."""
        original.write(folder, self.config.splits, self.config.side, self.config.encoding)

    def read_originals(self, folder: Path) -> dict[str, list[Original]]:
        """Returns id, image file and mask file of each scene by split, in the order of `<split>.txt`."""
        return {
            split: [
                (name, original.image_path(folder, name), folder / 'masks' / f'{name}.png') for name in names
            ]
            for split, names in original.names(folder).items()
        }

    @cached_property
    def objects(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """`{scene: (classes, boxes)}`: int32 [n] and f32 [n, 4] of its n objects."""
        return original.objects(self.originals())

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the fields of one scene. Boxes and classes are padded to `MAX_OBJECTS`."""
        classes, boxes = self.objects[identity]
        missing = original.MAX_OBJECTS - len(classes)
        return {
            'image': path,
            'mask': label,
            'instances': label.parents[1] / 'instances' / label.name,
            'boxes': np.pad(boxes, ((0, missing), (0, 0))),
            'classes': np.pad(classes, (0, missing), constant_values=-1),
        }
