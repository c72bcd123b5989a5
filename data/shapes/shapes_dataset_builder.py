"""TFDS builder of `shapes`. README.md says what it holds, research/datasets/catalogue.py what it owes."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data.shapes import original
from research.errors import UserError

HERE = Path(__file__).parent
Example = tuple[str, Path, Path]  # id, image, mask


@dataclass(kw_only=True)
class Config(tfds.core.BuilderConfig):
    """A size of the dataset.

    Attributes:
      side: height and width of a scene in pixels.
      encoding: of the images.
      splits: number of scenes of each split; None for those that are kept beside this file.
      folder: of the originals, in the dataset's folder of the workspace.
    """

    side: int = original.SIDE
    encoding: str = 'png'
    splits: Mapping[str, int] | None = None
    folder: str = 'raw'


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds `full` and `large` from scenes rendered here, `toy` from the few kept beside this file."""

    VERSION = tfds.core.Version('1.0.0')
    RELEASE_NOTES = {'1.0.0': 'First release.'}  # noqa: RUF012 (TFDS declares it so)
    BUILDER_CONFIGS = [  # noqa: RUF012
        Config(name='full', description='All 1,800 scenes.', splits=original.SPLITS),
        Config(name='toy', description='The first few of each split.', folder='toy'),
        Config(
            name='large',
            description='160 scenes of 512x512 pixels, as JPEG.',
            side=512,
            encoding='jpeg',
            splits={'train': 120, 'val': 20, 'test': 20},
            folder='large',
        ),
    ]

    @property
    def config(self) -> Config:
        """The config that is built."""
        assert isinstance(self.builder_config, Config)
        return self.builder_config

    def raw_examples(self) -> dict[str, list[Example]]:
        """Returns id, image and mask of each example by split, in the order of the original's lists."""
        folder = self._folder()
        return {
            split: [
                (name, original.image_path(folder, name), folder / 'masks' / f'{name}.png') for name in names
            ]
            for split, names in original.names(folder).items()
        }

    def _folder(self) -> Path:
        """Returns the folder of the originals, which the first call writes."""
        config = self.config
        folder = Path(self.data_dir_root).parent / config.folder
        if not folder.exists():
            aside = folder.with_name(f'incomplete.{folder.name}')
            shutil.rmtree(aside, ignore_errors=True)
            if config.splits is None:
                shutil.copytree(HERE / 'toy', aside)
            else:
                original.write(aside, config.splits, config.side, config.encoding)
            aside.rename(folder)
        return folder

    def _check(self) -> None:
        """Raises `UserError` if the originals are not those of `checksums.tsv`."""
        folder = self._folder()
        checksums = self.url_infos or {}  # TFDS reads checksums.tsv
        try:
            digests = original.digests(folder)
        except OSError as error:
            raise UserError(f'{folder} is damaged: {error}. Delete it and build again.') from error
        for name, digest in digests.items():
            expected = checksums[f'{self.builder_config_name}/{name}'].checksum
            if digest != expected:
                raise UserError(
                    f'{folder / name} is not what {HERE / "checksums.tsv"} states: '
                    f'its sha256 is {digest}, not {expected}. Either it was changed or damaged, or the '
                    'installed Pillow or NumPy renders otherwise than those in requirements.txt. '
                    f'Set that right, delete {folder} and build again.'
                )

    def _info(self) -> tfds.core.DatasetInfo:
        side, encoding = self.config.side, self.config.encoding
        boxes = (
            'Around what is seen of each object: x0, y0, x1, y1 in pixels, the ends excluded; 0 where none.'
        )
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    'image': tfds.features.Image(shape=(side, side, 3), encoding_format=encoding),
                    'mask': tfds.features.LabeledImage(
                        labels=list(original.CLASSES), shape=(side, side, 1), encoding_format='png'
                    ),
                    'instances': tfds.features.Image(
                        shape=(side, side, 1), encoding_format='png', doc='Object of each pixel; 0 for none.'
                    ),
                    'boxes': tfds.features.Tensor(shape=(original.MOST, 4), dtype=np.float32, doc=boxes),
                    'classes': tfds.features.Tensor(
                        shape=(original.MOST,), dtype=np.int32, doc='Of each object; -1 where there is none.'
                    ),
                    'id': tfds.features.Text(doc='The name of the scene: its number.'),
                }
            ),
            supervised_keys=('image', 'mask'),
            disable_shuffling=True,  # records in the order of the lists; training shuffles by itself
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        self._check()
        objects = original.objects(self._folder())
        return {split: self._generate_examples(rows, objects) for split, rows in self.raw_examples().items()}

    def _generate_examples(self, examples: Iterable[Example], objects: Any) -> Iterator[tuple[str, dict]]:
        for identity, image, mask in examples:
            classes, boxes = objects[identity]
            missing = original.MOST - len(classes)
            yield (
                identity,
                {
                    'image': image,
                    'mask': mask,
                    'instances': mask.parents[1] / 'instances' / mask.name,
                    'boxes': np.pad(boxes, ((0, missing), (0, 0))),
                    'classes': np.pad(classes, (0, missing), constant_values=-1),
                    'id': identity,
                },
            )
