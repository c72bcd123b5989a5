"""The files of an outputs folder: their names, and what the manifest states of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

MANIFEST, IDS, PREDICTIONS = 'manifest.json', 'ids.txt', 'predictions.csv'
PAGE = 'predictions.html'  # for people, beside predictions.csv


@dataclass(frozen=True)
class FileEntry:
    """The entry of a file in a manifest.

    Attributes:
      bytes: size of the file.
      sha256: digest of its content, 64 hexadecimal digits.
    """

    bytes: int
    sha256: str


def fingerprint(path: Path) -> FileEntry:
    """Returns the size and digest of a file."""
    with path.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    return FileEntry(path.stat().st_size, digest)
