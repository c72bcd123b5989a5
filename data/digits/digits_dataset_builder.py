"""TFDS builder of `digits`; engine/datasets/catalogue/builders.py states the contract of builders."""

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data.digits import original
from engine.datasets.building.folder_builder import FolderBuilder, Original

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


class Builder(FolderBuilder):
    """Builds `full` from scikit-learn's copy of the digits, `toy` from the few kept beside this file."""

    VERSION = tfds.core.Version('1.0.0')
    SUPERVISED_KEYS = ('image', 'label')
    HOMEPAGE = 'https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits'
    ORIGIN = 'the installed scikit-learn has other digits than the one in requirements.txt'

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the image and the digit that was written."""
        return {
            'image': tfds.features.Image(shape=(8, 8, 1), encoding_format='png'),
            'label': tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
        }

    def write_originals(self, folder: Path) -> None:
        """Writes scikit-learn's digits."""
        original.write(folder)

    def read_originals(self, folder: Path) -> dict[str, list[Original]]:
        """Returns id, image and label of each example by split, in the order of `labels.csv`."""
        labels = original.labels(folder)
        examples = {'train': [], 'val': [], 'test': []}
        for file, split in sorted(splits(labels).items()):
            examples[split].append((Path(file).stem, folder / 'images' / file, labels[file]))
        return examples

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the image and its label."""
        return {'image': path, 'label': label}
