"""Copies the standard library of the Python that runs, and tells which windows of it are examples."""

import hashlib
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.errors import UserError

LENGTH = 256  # bytes of a window
LEAST = LENGTH // 2  # a shorter rest of a file is left out
SOURCES, VERSION = 'Lib', 'python.txt'
# Tables and generated text, and what some distributions pack apart or some versions lack.
LEFT_OUT = {
    'distutils',
    'encodings',
    'ensurepip',
    'idlelib',
    'lib2to3',
    'pydoc_data',
    'tkinter',
    'turtledemo',
}
TESTS = {'test', 'tests'}  # folders
# By the last digit of a module's number: two in ten, with enough text of many modules in every version.
SPLITS = {3: 'val', 9: 'test'}

Window = tuple[str, Path, int]  # id, file, place of the window in it


def write(folder: Path) -> None:
    """Writes `Lib/`, the `.py` files laid out as they are installed, and `python.txt`, whose they are."""
    source = Path(sysconfig.get_path('stdlib'))
    for file in _installed(source):
        copy = folder / SOURCES / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    (folder / VERSION).write_text(f'{platform.python_version()}\n', encoding='utf-8')


def _installed(source: Path) -> Iterator[Path]:
    """Yields the files of the library in `source`, apart from what is left out."""
    for top in sorted(source.iterdir()):
        if top.stem in sys.stdlib_module_names - LEFT_OUT:
            files = [top] if top.suffix == '.py' else sorted(top.rglob('*.py'))
            yield from (file for file in files if not TESTS.intersection(file.relative_to(source).parts))


def version(folder: Path) -> str:
    """Returns the version of the Python whose library `folder` holds: `3.13.7`, say."""
    return (folder / VERSION).read_text(encoding='utf-8').strip()


def chosen(folder: Path, counts: Mapping[str, int]) -> dict[str, list[Window]]:
    """Returns as many windows of each split as `counts` says, ordered by id.

    Those whose ids have the lowest sha256, so that another version of a module changes few of them.

    Raises:
      UserError: there are too few.
    """
    found: dict[str, list[Window]] = {name: [] for name in counts}
    for window in windows(folder):
        found[split(window[0])].append(window)
    for name, count in counts.items():
        if len(found[name]) < count:
            raise UserError(
                f'{folder} has {len(found[name]):,} windows for {name}, and {count:,} are needed: the '
                f'standard library of Python {version(folder)} is not there whole. Install all of it, delete '
                f'{folder} and build again.'
            )
    return {name: sorted(sorted(found[name], key=_by_sha256)[:count]) for name, count in counts.items()}


def windows(folder: Path) -> Iterator[Window]:
    """Yields the windows of all files, each content once: where it is found first."""
    seen = set[bytes]()
    sources = folder / SOURCES
    for file in sorted(sources.rglob('*.py')):
        content = file.read_bytes()
        for place, start in enumerate(range(0, len(content) - LEAST + 1, LENGTH)):
            text = content[start : start + LENGTH]
            if text not in seen:
                seen.add(text)
                yield f'{file.relative_to(sources).as_posix()}:{place:04d}', file, place


def read(file: Path, place: int) -> bytes:
    """Returns a window: 256 bytes, or at the end of a file at least 128."""
    with file.open('rb') as opened:
        opened.seek(place * LENGTH)
        return opened.read(LENGTH)


def split(identity: str) -> str:
    """Returns the split of a window: that of the module or package at the top, by the sha256 of its name."""
    return SPLITS.get(_sha256(module(identity)) % 10, 'train')


def module(identity: str) -> str:
    """Returns the module or package at the top: `json` for `json/decoder.py:0003`."""
    return identity.partition(':')[0].partition('/')[0].removesuffix('.py')


def _by_sha256(window: Window) -> int:
    return _sha256(window[0])


def _sha256(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)
