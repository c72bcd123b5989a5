"""The dataset `text:<file>`: a plain text, cut into windows of tokens, without a builder of its own.

Windows overlap by one token, which is given and not predicted: the first token of a window is the last one of
the window before. So each token but the first one of a text is predicted once. The last window of a text may
be shorter. If the text or an option changes, the dataset is built again under another version.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from engine.datasets.building.folder_builder import FolderBuilder
from engine.datasets.building.ids import Original
from engine.datasets.image_folders import walk
from engine.datasets.reading import integrity
from engine.datasets.text import documents, vocabulary
from engine.datasets.text.documents import Document, TextFiles
from engine.datasets.text.options import BYTES, TextOptions
from engine.datasets.text.vocabulary import Vocabulary
from engine.errors import UserError

GIVEN_TOKENS = 1  # of a window: they are not predicted


class Window(NamedTuple):
    """A part of a text that is an example.

    Attributes:
      name: of the file.
      path: of the file.
      offset: the byte of the file at which the window begins.
      tokens: int32 [n], the given one first.
    """

    name: str
    path: Path
    offset: int
    tokens: np.ndarray

    @property
    def identity(self) -> str:
        """The id: file and offset."""
        return f'{self.name}:{self.offset}'


class TextFile(FolderBuilder, skip_registration=True):
    """Builds a dataset from a text, or from a folder of texts.

    Args:
      files: the text.
      options: how it becomes examples.
      kwargs: arguments of `FolderBuilder`.
    """

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = []
    FETCHED = False
    MAY_REPEAT = True

    def __init__(self, files: TextFiles, options: TextOptions, **kwargs: Any):
        self._files, self._options = files, options
        super().__init__(**kwargs)

    def fields(self) -> dict[str, tfds.features.FeatureConnector]:
        """Returns the tokens of a window, padded with zeros, and their number."""
        shape = (self._options.length + GIVEN_TOKENS,)
        return {
            'text': tfds.features.Tensor(shape=shape, dtype=self._vocabulary.dtype),
            'length': tfds.features.Tensor(shape=(), dtype=np.int32),
        }

    def notes(self) -> dict[str, Any]:
        """Returns the vocabulary, and how many tokens of a window are given."""
        return {vocabulary.NOTE: self._vocabulary.notes(), 'given_tokens': GIVEN_TOKENS}

    def write_notes(self, folder: Path) -> None:
        """Writes the vocabulary into the folder of the arrays."""
        self._vocabulary.write(folder)

    def remarks(self) -> Sequence[str]:
        """Returns what was left out and why, and what a reader may not expect."""
        size = f'{self._vocabulary.size:,} tokens'
        held_out = 'files, drawn by digest' if self._files.source.is_dir() else 'the text'
        return [
            *(f'left out, {line}' for line in walk.described(self._files.left_out, self._files.folder)),
            f'vocabulary: {self._vocabulary.kind}, {size}, sha256 {self._vocabulary.sha256[:8]}',
            f'val and test: the two halves of a held-out tenth of {held_out}',
        ]

    def originals(self) -> Path:
        """Returns the folder of the text. Nothing is ever written there."""
        return self._files.folder

    def read_originals(self, folder: Path) -> dict[str, list[Original]]:
        """Returns id and file of each window, by split. Windows have no labels."""
        return {
            split: [(window.identity, window.path, '') for window in windows.values()]
            for split, windows in self._windows.items()
        }

    def example(self, identity: str, path: Path, label: Any) -> dict[str, Any]:
        """Returns the tokens of a window, padded with zeros, and their number."""
        tokens = next(windows[identity].tokens for windows in self._windows.values() if identity in windows)
        padding = (0, self._options.length + GIVEN_TOKENS - len(tokens))
        return {
            'text': np.pad(tokens, padding).astype(self._vocabulary.dtype),
            'length': np.int32(len(tokens)),
        }

    def _check(self) -> None:
        """Accepts the files, because no checksums are stated for them."""

    @cached_property
    def _texts(self) -> dict[str, list[Document]]:
        return self._files.split()

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        """The vocabulary of the built dataset; before the build, that of the training part."""
        if self._options.vocabulary == BYTES:
            return vocabulary.learned(BYTES, ())
        if (arrays := Path(self.data_dir) / integrity.ARRAYS).exists():
            return Vocabulary.read(arrays)
        texts = [document.text for document in self._texts['train']]
        return vocabulary.learned(self._options.vocabulary, texts, self._options.size)

    @cached_property
    def _windows(self) -> dict[str, dict[str, Window]]:
        """The windows of each split by their ids, in the order of the text."""
        windows = {
            split: {window.identity: window for text in texts for window in self._cut(text)}
            for split, texts in self._texts.items()
        }
        for split, found in windows.items():
            if not found:
                raise UserError(
                    f'{self._files.source}: {split} has a single token, and none to predict. Add text, or '
                    'take vocabulary=bytes.'
                )
        return windows

    def _cut(self, document: Document) -> Iterator[Window]:
        """Yields the windows of a text."""
        tokens, length = self._vocabulary.encode(document.text), self._options.length
        ends = np.cumsum(self._vocabulary.byte_counts()[tokens], dtype=np.int64)
        for start in range(0, len(tokens) - GIVEN_TOKENS, length):
            window = tokens[start : start + length + GIVEN_TOKENS]
            offset = document.offset + (int(ends[start - 1]) if start else 0)
            yield Window(document.name, document.path, offset, window)


def builder(path: Path, options: TextOptions, data_dir: Path) -> TextFile:
    """Returns the builder of a text.

    Args:
      path: a file, or a folder of `.txt` files.
      options: how it becomes examples.
      data_dir: of the records.

    Raises:
      UserError: there is no text.
    """
    files = documents.find(path)
    name = hashlib.sha256(f'{files.digest()} {options}'.encode()).hexdigest()[:8]
    config = tfds.core.BuilderConfig(name=name, description='The text and the options of this digest.')
    return TextFile(files, options, config=config, data_dir=data_dir)
