"""A TFDS builder for datasets whose originals are files: fetches them once, verifies and lists them.

A builder in `data/<name>/` derives from `FolderBuilder` and states where the originals come from, which there
are and what an example holds. `FolderBuilder` does everything else that `catalogue.builders` requires.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds

from engine import files
from engine.datasets.building import checksums
from engine.datasets.building.ids import Original
from engine.errors import UserError, did_you_mean

TOY = 'toy'
KEYS = 2**128  # the number of keys by which TFDS sorts records
ORIGINALS = {'full': 'raw'}  # the folder of the originals, for configs that do not share its name


class FolderBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Builds `full` from the originals in `raw/` of the workspace, and `toy` from a few beside the builder.

    The originals of any other config lie in a folder of its name.

    A subclass is called `Builder`. It states a `VERSION`, to be raised whenever the data change, and
    implements `fields`, `write_originals`, `read_originals` and `example`.
    """

    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        tfds.core.BuilderConfig(name='full', description='All examples.'),
        tfds.core.BuilderConfig(name=TOY, description='A few examples, kept in the repository.'),
    ]
    SUPERVISED_KEYS: tuple[str, str] | None = None  # the fields of the inputs and of the targets
    HOMEPAGE: str | None = None
    MAY_REPEAT = False  # whether examples may be equal, as windows of a text may
    FETCHED = True  # whether the originals lie in the workspace
    ORIGIN = 'another version of their source wrote them'  # what may change the originals, besides damage

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the fields of an example, apart from `id`."""
        raise NotImplementedError

    def notes(self) -> dict[str, Any]:
        """Returns what tasks may ask of the dataset beside its fields, such as a vocabulary: `Spec.notes`."""
        return {}

    def write_notes(self, folder: Path) -> None:
        """Writes large notes, such as a vocabulary, beside the arrays: files in folders of `folder`.

        They count in the fingerprint.
        """

    def write_originals(self, folder: Path) -> None:
        """Writes all originals into the empty `folder`, laid out as their authors do."""
        raise NotImplementedError

    def read_originals(self, folder: Path) -> Mapping[str, Sequence[Original]]:
        """Returns id, file and label of each example of `folder`, by split."""
        raise NotImplementedError

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the fields of one example, apart from `id`. Images are paths or encoded bytes."""
        raise NotImplementedError

    def unstated(self, folder: Path) -> str:
        """Returns why `checksums.tsv` cannot state the originals in `folder`, '' if it can.

        If it cannot, the workspace keeps the checksums of the fetched originals, so damage is still detected.
        """
        return ''

    def raw_examples(self) -> Mapping[str, Sequence[Original]]:
        """Fetches the originals and returns id, file and label of each example, by split."""
        return self.read_originals(self.originals())

    def originals(self) -> Path:
        """Returns the folder of the originals. The first call writes it."""
        folder = Path(self.data_dir_root).parent / ORIGINALS.get(self.config_name, self.config_name)
        if not folder.exists():
            with files.atomic_folder(folder) as temporary:
                self._fetch(temporary, folder)
        elif folder.is_symlink() and not _workspace_checksums(folder).exists():
            self._record(folder, folder)  # of the user's own files, from the first build on
        return folder

    def _fetch(self, temporary: Path, folder: Path) -> None:
        """Writes the originals of `folder` into `temporary`."""
        if self.config_name == TOY:
            shutil.copytree(self.home() / TOY, temporary, dirs_exist_ok=True)
            return
        self.write_originals(temporary)
        self._record(temporary, folder)

    def _record(self, measured: Path, folder: Path) -> None:
        """Keeps the checksums of originals that the repository cannot state beside their `folder`."""
        if self.unstated(measured):
            text = checksums.text({self.config_name: checksums.measure(measured)})
            files.write_text(_workspace_checksums(folder), text)

    @property
    def config_name(self) -> str:
        """The name of the config."""
        return str(self.builder_config_name)

    @classmethod
    def home(cls) -> Path:
        """Returns the dataset's folder in the repository."""
        return Path(str(cls.code_path)).parent

    def damage(self) -> dict[str, str]:
        """Compares the originals with their checksums, and returns the problem of each file or folder.

        Raises:
          UserError: an original cannot be read.
        """
        folder = self.originals()
        try:
            measured = self.checksums()
            stated = checksums.stated(self._checksum_file(), self.config_name)
        except OSError as error:
            raise UserError(f'{folder} is damaged: {error}. Delete the folder and build again.') from error
        return checksums.differences(measured, stated)

    def checksums(self) -> Mapping[str, checksums.Checksum]:
        """Returns the checksum of each file and folder of the originals."""
        return checksums.measure(self.originals())

    @classmethod
    def register_checksums(cls, builders: Iterable['FolderBuilder']) -> None:
        """Rewrites `checksums.tsv` to state the originals of these builders, one for each config."""
        measured = {
            builder.config_name: builder.checksums()
            for builder in builders
            if not builder.unstated(builder.originals())
        }
        files.write_text(cls.home() / checksums.FILE, checksums.text(measured))

    def _checksum_file(self) -> Path:
        """Returns the file that states the checksums of the originals."""
        folder = self.originals()
        return _workspace_checksums(folder) if self.unstated(folder) else self.home() / checksums.FILE

    def _check(self) -> None:
        """Raises `UserError` if an original is missing or differs from its checksum."""
        folder = self.originals()
        if missing := self._missing_file():
            raise UserError(f'{folder} is damaged: {missing} is missing. Delete the folder and build again.')
        for name, problem in self.damage().items():
            problem += _damaged_images(folder / name)
            if self.unstated(folder):
                since, remedy = 'it was fetched', f'Delete {folder} and build again.'
                if folder.is_symlink():
                    since, remedy = (
                        'the first build',
                        f'Restore it, or delete {_workspace_checksums(folder)}.',
                    )
                raise UserError(
                    f'{folder / name} {problem}: it was changed or damaged since {since}. {remedy}'
                )
            raise UserError(
                f'{folder / name} {problem}, in {self.home()}. Either the file was changed or damaged, or '
                f'{self.ORIGIN}. Correct that, delete {folder} and build again. If the file is as it should '
                f'be, run: scripts/dataset.sh build {self.name} --register_checksums'
            )

    def _missing_file(self) -> Path | None:
        """Returns the first original that is listed but missing."""
        rows = (row for rows in self.raw_examples().values() for row in rows)
        paths = (value for _, *values in rows for value in values if isinstance(value, Path))
        return next((path for path in paths if not path.exists()), None)

    def _info(self) -> tfds.core.DatasetInfo:
        identity = tfds.features.Text(doc='Unique in the dataset.')
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(self.fields() | {'id': identity}),
            supervised_keys=self.SUPERVISED_KEYS,
            homepage=self.HOMEPAGE,
            disable_shuffling=True,  # records keep the order of the lists, and training shuffles
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        self._check()
        return {split: self._generate_examples(rows) for split, rows in self.raw_examples().items()}

    def _generate_examples(self, examples: Sequence[Original]) -> Iterator[tuple[int, dict[str, Any]]]:
        # TFDS sorts records by these keys, above 1 GB in a file for each part of the range of keys. Keys that
        # cover the range keep the order and use all files. Otherwise, one file with all records would be
        # sorted in memory.
        step = KEYS // max(len(examples), 1)
        for index, (identity, path, label) in enumerate(examples):
            example = self.example(identity, path, label)
            self._check_labels(example, f'{identity!r} ({path})')
            yield index * step, {'id': identity, **example}

    def _check_labels(self, example: dict[str, Any], place: str) -> None:
        """Raises `UserError` if a label of an example is none of the classes."""
        known: Any = self.info.features
        for name, feature in known.items():
            is_label = isinstance(feature, tfds.features.ClassLabel) and name in example
            if is_label and (problem := _label_problem(feature, example[name])):
                raise UserError(f'example {place}: {name}: {problem}')


def _damaged_images(path: Path) -> str:
    """Names the images at or below a path that cannot be decoded, '' if there are none."""
    damaged = [file.name for file in checksums.damaged_images(path)] if path.exists() else []
    more = f' and {len(damaged) - checksums.MAX_NAMED} more' if len(damaged) > checksums.MAX_NAMED else ''
    named = ', '.join(damaged[: checksums.MAX_NAMED])
    return f' (images that cannot be decoded: {named}{more})' if damaged else ''


def _workspace_checksums(folder: Path) -> Path:
    """Returns the file in the workspace that states the originals in `folder`: `raw.checksums.tsv`."""
    return folder.with_name(f'{folder.name}.{checksums.FILE}')


def _label_problem(feature: Any, value: Any) -> str:
    """Returns why a builder's value of a ClassLabel has no name, '' if it has one. -1 stands for no label."""
    known = feature.names if isinstance(value, str) else range(-1, feature.num_classes)
    if value in known:
        return ''
    hint = did_you_mean(str(value), feature.names)
    return f'the label {value!r} is none of the {feature.num_classes} classes. {hint}'
