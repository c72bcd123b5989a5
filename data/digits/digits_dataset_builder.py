"""TFDS builder of `digits`. README.md says what it holds, research/datasets/catalogue.py what it owes."""

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import tensorflow_datasets as tfds

from data.digits import original
from research.errors import UserError

HERE = Path(__file__).parent
Example = tuple[str, Path, str]  # id, image, label

# Within each class, in tens: the first to val, two to test, the rest to train.
TURNS = ('val', 'test', 'test', *['train'] * 7)


def splits(labels: dict[str, str]) -> dict[str, str]:
    """Returns `{file: split}`: a function of the names and labels alone, the same for ever.

    The files of a class, ordered by the sha256 of their names, take their `TURNS`.

    Args:
      labels: the label of each file.
    """
    ordered = sorted(labels, key=lambda file: hashlib.sha256(file.encode()).hexdigest())
    seen = defaultdict[str, int](int)
    chosen = {}
    for file in ordered:
        chosen[file] = TURNS[seen[labels[file]] % len(TURNS)]
        seen[labels[file]] += 1
    return chosen


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builds `full` from scikit-learn's copy of the digits, `toy` from the few kept beside this file."""

    VERSION = tfds.core.Version('1.0.0')
    RELEASE_NOTES = {'1.0.0': 'First release.'}  # noqa: RUF012 (TFDS declares it so)
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name='full', description='All 1,797 digits.'),
        tfds.core.BuilderConfig(name='toy', description='Six of each class.'),
    ]

    def raw_examples(self) -> dict[str, list[Example]]:
        """Returns id, image and label of each example by split, in the order of `labels.csv`."""
        folder = self._folder()
        labels = original.labels(folder)
        examples = {'train': [], 'val': [], 'test': []}
        for file, split in sorted(splits(labels).items()):
            examples[split].append((Path(file).stem, folder / 'images' / file, labels[file]))
        return examples

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
                    'installed scikit-learn has other digits than the one in requirements.txt. '
                    f'Set that right, delete {folder} and build again.'
                )

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    'image': tfds.features.Image(shape=(8, 8, 1), encoding_format='png'),
                    'label': tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
                    'id': tfds.features.Text(doc='The name of the image, without its ending.'),
                }
            ),
            supervised_keys=('image', 'label'),
            homepage='https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits',
            disable_shuffling=True,  # records in the order of the lists; training shuffles by itself
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        self._check()
        return {split: self._generate_examples(rows) for split, rows in self.raw_examples().items()}

    def _generate_examples(self, examples: Iterable[Example]) -> Iterator[tuple[str, dict]]:
        for identity, path, label in examples:
            yield identity, {'image': path, 'label': label, 'id': identity}
