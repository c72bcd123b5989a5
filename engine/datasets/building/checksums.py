"""Checksums of originals: what `data/<name>/checksums.tsv` states, and what is there.

A line for each file and folder at the top of `raw/` and `toy/`: `full/images`, its bytes, its sha256, and its
name again, tab-separated as TFDS reads them. A folder counts as its files one after the other, ordered by
path, and a PNG image as its pixels: how a PNG is packed may change with the library that writes it.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

FILE = 'checksums.tsv'


class Checksum(NamedTuple):
    """Of a file or a folder: its size in bytes and its sha256."""

    size: int
    sha256: str


def measure(folder: Path) -> dict[str, Checksum]:
    """Returns the checksum of each file and folder in `folder`. Raises `OSError` if one cannot be read."""
    return {path.name: _checksum(path) for path in sorted(folder.iterdir()) if not path.name.startswith('.')}


def _checksum(path: Path) -> Checksum:
    size, sha256 = 0, hashlib.sha256()
    for content in map(_content, _files(path)):
        size += len(content)
        sha256.update(content)
    return Checksum(size, sha256.hexdigest())


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(each for each in path.rglob('*') if each.is_file())
    else:
        yield path


def _content(path: Path) -> bytes:
    if path.suffix.lower() != '.png':
        return path.read_bytes()
    with Image.open(path) as image:
        return np.asarray(image).tobytes()


def stated(file: Path, config: str) -> dict[str, Checksum]:
    """Returns what a `checksums.tsv` states of the originals of a config; nothing if it is missing."""
    if not file.exists():
        return {}
    with file.open(newline='', encoding='utf-8') as lines:
        rows = [(row[0].partition('/'), row) for row in csv.reader(lines, delimiter='\t') if row]
    return {
        name: Checksum(int(size), sha256)
        for (owner, _, name), (_, size, sha256, *_) in rows
        if owner == config
    }


def text(checksums: Mapping[str, Mapping[str, Checksum]]) -> str:
    """Returns the `checksums.tsv` that states `{config: {name: checksum}}`."""
    return ''.join(
        f'{config}/{name}\t{each.size}\t{each.sha256}\t{name}\n'
        for config, measured in checksums.items()
        for name, each in measured.items()
    )


def differences(found: Mapping[str, Checksum], expected: Mapping[str, Checksum]) -> dict[str, str]:
    """Returns what is wrong, by the name of the file or folder: `is missing`, say."""
    wrong = {}
    for name in sorted(found.keys() | expected.keys()):
        if name not in found:
            wrong[name] = f'is missing, and {FILE} states it'
        elif name not in expected:
            wrong[name] = f'is there, and {FILE} does not state it'
        elif found[name].sha256 != expected[name].sha256:
            wrong[name] = (
                f'is not what {FILE} states: its sha256 is {found[name].sha256}, not {expected[name].sha256}'
            )
    return wrong
