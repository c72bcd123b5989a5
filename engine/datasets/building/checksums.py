"""Checksums of original files: measures them, and compares them with `data/<name>/checksums.tsv`.

That file has a line for each file and folder at the top of `raw/` and `toy/`: `full/images`, its bytes, its
sha256, and its name again, separated by tabs, as TFDS reads them. A folder is hashed as the concatenation of
its files in the order of their paths. A PNG image is hashed by its pixels, because libraries compress PNG
differently.
"""

import contextlib
import csv
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

FILE = 'checksums.tsv'
IMAGES = ('.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
MAX_NAMED = 20  # files that a message names


class Checksum(NamedTuple):
    """Size in bytes and sha256 of a file or a folder."""

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
        yield from sorted(file for file in path.rglob('*') if file.is_file())
    else:
        yield path


def _content(path: Path) -> bytes:
    if path.suffix.lower() == '.png':
        with (
            contextlib.suppress(Exception),
            Image.open(path) as image,
        ):  # for damaged files Pillow raises anything
            return np.asarray(image).tobytes()
    return path.read_bytes()


def damaged_images(path: Path) -> Iterator[Path]:
    """Yields the images at or below a path that cannot be decoded."""
    for file in _files(path):
        if file.suffix.lower() in IMAGES:
            try:
                with Image.open(file) as image:
                    image.load()
            except Exception:  # as above
                yield file


def stated(file: Path, config: str) -> dict[str, Checksum]:
    """Returns the checksums that a `checksums.tsv` states for a config. A missing file states none."""
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
    """Returns the content of the `checksums.tsv` that states `{config: {name: checksum}}`."""
    return ''.join(
        f'{config}/{name}\t{checksum.size}\t{checksum.sha256}\t{name}\n'
        for config, measured in checksums.items()
        for name, checksum in measured.items()
    )


def differences(measured: Mapping[str, Checksum], stated: Mapping[str, Checksum]) -> dict[str, str]:
    """Returns the problem of each file or folder that differs, such as `is missing, but ... states it`."""
    problems = {}
    for name in sorted(measured.keys() | stated.keys()):
        if name not in measured:
            problems[name] = f'is missing, but {FILE} states it'
        elif name not in stated:
            problems[name] = f'exists, but {FILE} does not state it'
        elif measured[name].sha256 != stated[name].sha256:
            problems[name] = (
                f'differs from {FILE}: its sha256 is {measured[name].sha256}, not {stated[name].sha256}'
            )
    return problems
