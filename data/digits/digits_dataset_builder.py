"""TFDS builder of `digits`; engine/datasets/catalogue/builders.py states the contract of builders."""

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data.digits import original
from engine.datasets.building.folder_builder import FolderBuilder, Original

# The splits of ten files of a class, in order.
SPLITS_OF_TEN = ('val', 'test', 'test', *['train'] * 7)


def splits(labels: dict[str, str]) -> dict[str, str]:
    """Returns `{file: split}`. The splits depend only on names and labels, so they never change.

    The files of a class are sorted by the sha256 of their names and assigned to `SPLITS_OF_TEN` in turn.

    Args:
      labels: the label of each file.
    """
    sorted_files = sorted(labels, key=lambda file: hashlib.sha256(file.encode()).hexdigest())
    class_counts = defaultdict[str, int](int)
    assigned = {}
    for file in sorted_files:
        assigned[file] = SPLITS_OF_TEN[class_counts[labels[file]] % len(SPLITS_OF_TEN)]
        class_counts[labels[file]] += 1
    return assigned


class Builder(FolderBuilder):
    """Builds `full` from scikit-learn's copy of the digits, `toy` from the files in toy/."""

    VERSION = tfds.core.Version('1.0.0')
    SUPERVISED_KEYS = ('image', 'label')
    HOMEPAGE = 'https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits'
    ORIGIN = 'the digits of the installed scikit-learn differ from those of the version in requirements.txt'

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the features: the image, uint8 [8, 8, 1], and the digit, the class from 0 to 9."""
        return {
            'image': tfds.features.Image(shape=(8, 8, 1), encoding_format='png'),
            'label': tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
        }

    def write_originals(self, folder: Path) -> None:
        """Writes scikit-learn's digits."""
        original.write(folder)

    def read_originals(self, folder: Path) -> dict[str, list[Original]]:
        """Returns id, image file and label of each example by split, sorted by file name."""
        labels = original.labels(folder)
        examples = {'train': [], 'val': [], 'test': []}
        for file, split in sorted(splits(labels).items()):
            examples[split].append((Path(file).stem, folder / 'images' / file, labels[file]))
        return examples

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the image file and the label of an example."""
        return {'image': path, 'label': label}
