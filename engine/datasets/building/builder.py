"""What datasets made of files share: their originals are fetched once, verified and listed.

A builder of `data/<name>/` derives from `FolderBuilder` and says where originals come from, which there are
and what an example is. The rest of what `catalogue` demands is done here.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from engine.datasets.building import checksums
from engine.errors import UserError

Original = tuple[str, Path, Any]  # id, file, label or the file of the mask
TOY = 'toy'
ORIGINALS = {'full': 'raw'}  # the folders of configs, where they are not called alike


class FolderBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builds `full` from the originals in `raw/` of the workspace, `toy` from the few beside the builder.

    Any other config has its originals in a folder of its name.

    A subclass is called `Builder`, has a `VERSION`, to be raised whenever the data change, and owes `fields`,
    `write_originals`, `read_originals` and `example`.
    """

    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        tfds.core.BuilderConfig(name='full', description='All examples.'),
        tfds.core.BuilderConfig(name=TOY, description='A few of them, kept in the repository.'),
    ]
    SUPERVISED_KEYS: tuple[str, str] | None = None  # the fields that enter and are to come out
    HOMEPAGE: str | None = None
    FETCHED = True  # whether the originals lie in the workspace
    ORIGIN = 'what wrote them is another version now'  # what else than damage changes the originals

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the fields of an example, apart from `id`."""
        raise NotImplementedError

    def write_originals(self, folder: Path) -> None:
        """Writes all originals into the new `folder`, as their authors lay them out."""
        raise NotImplementedError

    def read_originals(self, folder: Path) -> dict[str, list[Original]]:
        """Returns id, file and label of each example of `folder`, by split."""
        raise NotImplementedError

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the fields of one example, apart from `id`: images as paths or encoded bytes."""
        raise NotImplementedError

    def unstated(self, folder: Path) -> str:
        """Returns why `checksums.tsv` cannot state the originals in `folder`, '' where it does.

        The workspace then states them as they were when they were fetched: damage is found all the same.
        """
        return ''

    def raw_examples(self) -> dict[str, list[Original]]:
        """Returns id, file and label of each example by split, all files fetched."""
        return self.read_originals(self.originals())

    def originals(self) -> Path:
        """Returns the folder of the originals, which the first call writes."""
        is_toy = self.config_name == TOY
        folder = Path(self.data_dir_root).parent / ORIGINALS.get(self.config_name, self.config_name)
        if not folder.exists():
            aside = folder.with_name(f'incomplete.{folder.name}')
            shutil.rmtree(aside, ignore_errors=True)
            if is_toy:
                shutil.copytree(self.home() / TOY, aside)
            else:
                aside.mkdir(parents=True)
                self.write_originals(aside)
                if self.unstated(aside):
                    _state(_beside(folder), {self.config_name: checksums.measure(aside)})
            aside.rename(folder)
        return folder

    @property
    def config_name(self) -> str:
        """The name of the config that is built."""
        return str(self.builder_config_name)

    @classmethod
    def home(cls) -> Path:
        """Returns the dataset's folder in the repository."""
        return Path(str(cls.code_path)).parent

    def damage(self) -> dict[str, str]:
        """Returns what is wrong with the originals, by the name of the file or folder.

        Raises:
          UserError: one cannot be read at all.
        """
        folder = self.originals()
        try:
            found = self.checksums()
            stated = checksums.stated(self._statement(), self.config_name)
        except OSError as error:
            raise UserError(f'{folder} is damaged: {error}. Delete the folder and build again.') from error
        return checksums.differences(found, stated)

    def checksums(self) -> Mapping[str, checksums.Checksum]:
        """Returns the checksum of each file and folder of the originals."""
        return checksums.measure(self.originals())

    @classmethod
    def register_checksums(cls, builders: Iterable['FolderBuilder']) -> None:
        """Has `checksums.tsv` state the originals of these builders, one for each config."""
        stated = (each for each in builders if not each.unstated(each.originals()))
        _state(cls.home() / checksums.FILE, {each.config_name: each.checksums() for each in stated})

    def _statement(self) -> Path:
        """Returns the file that states the originals."""
        folder = self.originals()
        return _beside(folder) if self.unstated(folder) else self.home() / checksums.FILE

    def _check(self) -> None:
        """Raises `UserError` if the originals are not those of `checksums.tsv`."""
        rows = (row for rows in self.raw_examples().values() for row in rows)
        files = (each for _, *row in rows for each in row if isinstance(each, Path))
        if missing := next((file for file in files if not file.exists()), None):
            raise UserError(
                f'{self.originals()} is damaged: {missing} is missing. Delete the folder and build again.'
            )
        folder = self.originals()
        for name, wrong in self.damage().items():
            if self.unstated(folder):
                raise UserError(
                    f'{folder / name} {wrong}: it was changed or damaged since it was fetched. '
                    f'Delete {folder} and build again.'
                )
            raise UserError(
                f'{folder / name} {wrong}, in {self.home()}. Either it was changed or damaged, '
                f'or {self.ORIGIN}. Set that right, delete {folder} and build again; or, if it is '
                f'as it should be: scripts/dataset.sh build {self.name} --register_checksums'
            )

    def _info(self) -> tfds.core.DatasetInfo:
        identity = tfds.features.Text(doc='Unique in the dataset.')
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(self.fields() | {'id': identity}),
            supervised_keys=self.SUPERVISED_KEYS,
            homepage=self.HOMEPAGE,
            disable_shuffling=True,  # records in the order of the lists; training shuffles by itself
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        self._check()
        return {split: self._generate_examples(rows) for split, rows in self.raw_examples().items()}

    def _generate_examples(self, examples: Iterable[Original]) -> Iterator[tuple[str, dict[str, Any]]]:
        for identity, path, label in examples:
            yield identity, {'id': identity, **self.example(identity, path, label)}


def _beside(folder: Path) -> Path:
    """Returns the file of the workspace that states the originals in `folder`: `raw.checksums.tsv`."""
    return folder.with_name(f'{folder.name}.{checksums.FILE}')


def _state(file: Path, measured: Mapping[str, Mapping[str, checksums.Checksum]]) -> None:
    """Writes a `checksums.tsv`, whole or not at all."""
    aside = file.with_name(f'{file.name}.tmp')
    aside.write_text(checksums.text(measured), encoding='utf-8')
    aside.replace(file)
