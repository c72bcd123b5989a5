"""The texts of a file, or of a folder of `.txt` files, and the parts of them that are held out.

Of a file, the last tenth is held out: val is its first half, test the second. Of a folder, a tenth of the
files is: the digest of its path says to which split a file belongs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from engine.datasets.building.holding_out import digest
from engine.datasets.image_folders import walk
from engine.errors import UserError, nearest

SPLITS = ('train', 'val', 'test')
HELD_OUT = 10  # the last character in 10 is held out
MIN_CHARACTERS = 40  # of a file: val and test then have two characters each
MIN_DOCUMENTS = 3
HELD_OUT_DOCUMENTS = 20  # about one document in 20 becomes val, another one test
BOM = b'\xef\xbb\xbf'  # a mark of UTF-8 in front of a text, not part of it
UTF_16 = (b'\xff\xfe', b'\xfe\xff')


@dataclass(frozen=True)
class Document:
    """A text, or a part of one.

    Attributes:
      path: its file.
      name: of the file, relative to the folder.
      offset: the byte of the file at which the text begins.
      text: the text.
    """

    path: Path
    name: str
    offset: int
    text: str


@dataclass(frozen=True)
class TextFiles:
    """The files of a dataset, unread.

    Attributes:
      source: the file, or the folder.
      paths: its files.
      left_out: files of a folder that are not part of the dataset, by the reason.
    """

    source: Path
    paths: Sequence[Path]
    left_out: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return self.source if self.source.is_dir() else self.source.parent

    def digest(self) -> str:
        """Returns a sha256 of the names and the contents of all files."""
        sha256 = hashlib.sha256()
        for path in self.paths:
            sha256.update(f'{path.relative_to(self.folder).as_posix()}\n'.encode(errors='surrogateescape'))
            sha256.update(hashlib.sha256(_bytes(path)).digest())
        return sha256.hexdigest()

    def split(self) -> dict[str, list[Document]]:
        """Returns the texts of train, val and test.

        Raises:
          UserError: a file is not UTF-8, or there is too little text.
        """
        documents = [_read(path, path.relative_to(self.folder).as_posix()) for path in self.paths]
        return _split_documents(documents, self.source) if self.source.is_dir() else _split_text(documents[0])


def find(source: Path) -> TextFiles:
    """Returns the files of a text.

    Args:
      source: a file, or a folder with `.txt` files at any depth.

    Raises:
      UserError: there is no such file or folder, or the folder has no texts.
    """
    if source.is_dir():
        found = walk.walk(source, ('.txt',), 'texts')
        if not found.files:
            raise UserError(f'{source} is a folder without texts: it holds no file that ends in .txt.')
        return TextFiles(source, [*map(Path, found.files)], found.left_out)
    if not source.is_file():
        siblings = [path.name for path in source.parent.iterdir()] if source.parent.is_dir() else []
        close = nearest(source.name, siblings, 1)
        hint = f' Did you mean {close[0]!r}?' if close else ' A relative path starts at the repository.'
        raise UserError(f'There is no file {source}.{hint}')
    return TextFiles(source, [source])


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror}.') from error


def _read(path: Path, name: str) -> Document:
    """Reads a file. Raises `UserError` if it is not UTF-8."""
    content = _bytes(path)
    offset = len(BOM) if content.startswith(BOM) else 0
    try:
        return Document(path, name, offset, content[offset:].decode())
    except UnicodeDecodeError as error:
        place = offset + error.start
        raise UserError(
            f'{path} is not UTF-8: byte {place} is 0x{content[place]:02x}. {_conversion(path, content)}'
        ) from None


def _conversion(path: Path, content: bytes) -> str:
    """Returns how to convert a file that is not UTF-8."""
    is_utf_16 = content.startswith(UTF_16)
    if b'\0' in content and not is_utf_16:
        return 'It holds bytes of zero, so it is probably not a text.'
    command = f'iconv -f {"UTF-16" if is_utf_16 else "LATIN1"} -t UTF-8 {path.name} > converted.txt'
    return f'{"It begins as UTF-16 does. " if is_utf_16 else ""}Convert it, for example: {command}'


def _split_text(document: Document) -> dict[str, list[Document]]:
    """Returns the parts of one text."""
    count = len(document.text)
    if count < MIN_CHARACTERS:
        problem = 'is empty' if not count else f'holds {count} characters'
        raise UserError(
            f'{document.path} {problem}. A text needs at least {MIN_CHARACTERS}: a tenth of it is held '
            'out for val and test.'
        )
    held_out = count * (HELD_OUT - 1) // HELD_OUT
    edges = [0, held_out, held_out + (count - held_out) // 2, count]
    pairs = zip(SPLITS, pairwise(edges), strict=True)
    return {split: [_part(document, start, stop)] for split, (start, stop) in pairs}


def _part(document: Document, start: int, stop: int) -> Document:
    """Returns the characters from `start` to `stop` of a text."""
    offset = document.offset + len(document.text[:start].encode())
    return Document(document.path, document.name, offset, document.text[start:stop])


def _split_documents(documents: Sequence[Document], folder: Path) -> dict[str, list[Document]]:
    """Returns the documents of each split, in the order of their names."""
    documents = [document for document in documents if document.text]
    if len(documents) < MIN_DOCUMENTS:
        raise UserError(
            f'{folder} holds {len(documents)} texts that are not empty. A folder needs at least '
            f'{MIN_DOCUMENTS}: one to train on, and one each for val and test. A single text is given by the '
            'name of its file.'
        )
    *others, _ = sorted(documents, key=lambda document: digest(document.name))  # the last one trains
    numbers = {document.name: digest(document.name) % HELD_OUT_DOCUMENTS for document in others}
    val = [name for name, number in numbers.items() if number == 0] or [others[0].name]
    test = [name for name, number in numbers.items() if number == 1 and name not in val]
    test = test or [next((name for name in numbers if name not in val), val[-1])]
    split_of = dict.fromkeys(val, 'val') | dict.fromkeys(test, 'test')
    return {
        split: [document for document in documents if split_of.get(document.name, 'train') == split]
        for split in SPLITS
    }
