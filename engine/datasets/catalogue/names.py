"""What a dataset is called, and where its bytes lie.

digits, digits/toy       a folder of data/, and perhaps one of its configs
images:<folder>          a folder of images by class, or of lists
tfds:<dataset>/<config>  of the catalogue of TensorFlow Datasets
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from engine import workspace

OURS, IMAGES, TFDS = '', 'images', 'tfds'
SOURCES = (IMAGES, TFDS)


@dataclass(frozen=True)
class Name:
    """The name of a dataset, taken apart.

    Attributes:
      text: as in a config.
      source: OURS, IMAGES or TFDS.
      dataset: a folder's name in data/, the path of a folder, or what TFDS calls it.
      config: of a dataset of ours, '' if none is named.
    """

    text: str
    source: str
    dataset: str
    config: str = ''

    @classmethod
    def parse(cls, text: str) -> 'Name':
        """Returns a name, taken apart."""
        source, colon, rest = text.partition(':')
        if colon and source in SOURCES:
            return cls(text, source, rest)
        dataset, _, config = text.partition('/')
        return cls(text, OURS, dataset, config)

    @property
    def path(self) -> Path:
        """The folder of images. A relative path starts at the repository, wherever a command is typed."""
        return (workspace.REPOSITORY / Path(self.dataset).expanduser()).resolve()

    @property
    def without_config(self) -> str:
        """The name of the dataset whatever its config."""
        return self.text if self.source != OURS else self.dataset

    @property
    def home(self) -> Path:
        """The dataset's folder of the workspace, which its configs share."""
        return workspace.workspace() / 'data' / self._slug

    @property
    def card(self) -> Path | None:
        """The dataset's folder in the repository; None for what is not kept there."""
        return workspace.REPOSITORY / 'data' / self.dataset if self.source == OURS else None

    @property
    def slug(self) -> str:
        """The name as that of a folder: `digits-toy`, `tfds-mnist`, `images-flowers-1f3a9c20`."""
        return '-'.join(filter(None, [self._slug, self.config]))

    @property
    def _slug(self) -> str:
        if self.source == IMAGES:
            place = hashlib.sha256(str(self.path).encode()).hexdigest()[:8]
            return f'{IMAGES}-{self.path.name}-{place}'
        return re.sub('[^a-zA-Z0-9_.]+', '-', '-'.join(filter(None, [self.source, self.dataset])))
