"""TFDS builder of `shapes`. README.md says what it holds, research/datasets/catalogue.py what it owes."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import tensorflow_datasets as tfds

from data.shapes import original
from research.errors import UserError

HERE = Path(__file__).parent
Example = tuple[str, Path, Path]  # id, image, mask


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds `full` from scenes rendered here, `toy` from the few kept beside this file."""

    VERSION = tfds.core.Version('1.0.0')
    RELEASE_NOTES = {'1.0.0': 'First release.'}  # noqa: RUF012 (TFDS declares it so)
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name='full', description='All 1,300 scenes.'),
        tfds.core.BuilderConfig(name='toy', description='The first few of each split.'),
    ]

    def raw_examples(self) -> dict[str, list[Example]]:
        """Returns id, image and mask of each example by split, in the order of the original's lists."""
        folder = self._folder()
        return {
            split: [
                (name, folder / 'images' / f'{name}.png', folder / 'masks' / f'{name}.png') for name in names
            ]
            for split, names in original.names(folder).items()
        }

    def _folder(self) -> Path:
        """Returns the folder of the originals, which the first call writes."""
        is_toy = self.builder_config_name == 'toy'
        folder = Path(self.data_dir_root).parent / ('toy' if is_toy else 'raw')
        if not folder.exists():
            aside = folder.with_name(f'incomplete.{folder.name}')
            shutil.rmtree(aside, ignore_errors=True)
            if is_toy:
                shutil.copytree(HERE / 'toy', aside)
            else:
                original.write(aside)
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
        side = original.SIDE
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    'image': tfds.features.Image(shape=(side, side, 3), encoding_format='png'),
                    'mask': tfds.features.LabeledImage(
                        labels=list(original.CLASSES), shape=(side, side, 1), encoding_format='png'
                    ),
                    'id': tfds.features.Text(doc='The name of the scene: its number.'),
                }
            ),
            supervised_keys=('image', 'mask'),
            disable_shuffling=True,  # records in the order of the lists; training shuffles by itself
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        self._check()
        return {split: self._generate_examples(rows) for split, rows in self.raw_examples().items()}

    def _generate_examples(self, examples: Iterable[Example]) -> Iterator[tuple[str, dict]]:
        for identity, image, mask in examples:
            yield identity, {'image': image, 'mask': mask, 'id': identity}
