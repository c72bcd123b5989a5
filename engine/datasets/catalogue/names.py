"""The name of a dataset, and the folders that follow from it.

digits, digits/toy       a folder of data/, and one of its configs
images:<folder>          a folder of images by class, or of lists
text:<file>?<options>    a text, or a folder of them: text:shakespeare.txt?length=64&vocabulary=characters
tfds:<dataset>           a dataset of TensorFlow Datasets' catalogue: tfds:glue/mrpc, tfds:mnist:3.0.1
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from engine import paths, workspace
from engine.datasets.text import options

REPOSITORY, IMAGES, TEXT, TFDS = '', 'images', 'text', 'tfds'
PREFIXES = (IMAGES, TEXT, TFDS)
MAX_FILE_NAME = 60  # characters of the name of a file in that of a folder
DEFAULT_CONFIG, TOY = 'full', 'toy'
NO_DATASET = 'none'  # the name of what a task learns from that makes its own data
TOY_TEXT = 'README.md'  # every project has it
_UNUSUAL = '[^a-zA-Z0-9_.]+'


@dataclass(frozen=True)
class DatasetName:
    """The name of a dataset, split into its parts.

    Attributes:
      text: the whole name, as a config states it.
      source: REPOSITORY, IMAGES, TEXT or TFDS.
      dataset: the name of a folder in data/, the path of a folder of images, that of a text, or TFDS's name.
      options: of a text, such as `length=64`, '' if the name has none.
      config: a config of a dataset in data/, '' if the name has none.
    """

    text: str
    source: str
    dataset: str
    config: str = ''
    options: str = ''

    @classmethod
    def parse(cls, text: str) -> 'DatasetName':
        """Splits a name into its parts.

        >>> DatasetName.parse('digits/toy').slug
        'digits-toy'
        """
        source, colon, dataset = text.partition(':')
        if colon and source == TEXT:
            path, stated = options.split(dataset)
            return cls(text, source, path, options=stated)
        if colon and source in PREFIXES:
            return cls(text, source, dataset)
        dataset, _, config = text.partition('/')
        return cls(text, REPOSITORY, dataset, config)

    @property
    def path(self) -> Path:
        """The folder of images, or the text. A relative path starts at the repository."""
        return workspace.located(paths.expanded(self.dataset)).resolve()

    @property
    def without_config(self) -> str:
        """The name without its config."""
        return self.text if self.source != REPOSITORY else self.dataset

    @property
    def toy(self) -> str:
        """The name of a small dataset of the same form; the name itself where there is none.

        >>> DatasetName.parse('digits').toy, DatasetName.parse('text:~/hamlet.txt?length=64').toy
        ('digits/toy', 'text:README.md?length=64')
        """
        if self.source == TEXT:
            return f'{TEXT}:{TOY_TEXT}?{self.options}'
        return f'{self.dataset}/{TOY}' if self.source == REPOSITORY else self.text

    @property
    def workspace_folder(self) -> Path:
        """The dataset's folder in the workspace, which its configs share."""
        return workspace.workspace() / 'data' / self._folder_name

    @property
    def repository_folder(self) -> Path | None:
        """The dataset's folder in the repository, None for a dataset from elsewhere."""
        return workspace.REPOSITORY / 'data' / self.dataset if self.source == REPOSITORY else None

    @property
    def slug(self) -> str:
        """The name as that of a folder: `digits-toy`, `tfds-mnist`, `text-shakespeare.txt-5b2c81d7`."""
        return '-'.join(filter(None, [self._folder_name, self.config]))

    @property
    def _folder_name(self) -> str:
        if self.source == IMAGES:
            digest = hashlib.sha256(str(self.path).encode()).hexdigest()[:8]
            return f'{IMAGES}-{re.sub(_UNUSUAL, "-", self.path.name)}-{digest}'
        if self.source == TEXT:
            digest = hashlib.sha256(f'{self.path} {options.parse(self.options)}'.encode()).hexdigest()[:8]
            return f'{TEXT}-{re.sub(_UNUSUAL, "-", self.path.name)[:MAX_FILE_NAME]}-{digest}'
        return re.sub(_UNUSUAL, '-', '-'.join(filter(None, [self.source, self.dataset])))
