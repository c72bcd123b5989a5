"""Copies the standard library of the running Python, and selects the windows of it that are examples."""

import hashlib
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.errors import UserError

LENGTH = 256  # bytes of a window
MIN_LENGTH = LENGTH // 2  # bytes of the last window of a file; a shorter one is left out
SOURCE_FOLDER, VERSION_FILE = 'Lib', 'python.txt'
# Tables, generated text, and modules that some distributions package separately or some versions lack.
EXCLUDED_MODULES = {
    'distutils',
    'encodings',
    'ensurepip',
    'idlelib',
    'lib2to3',
    'pydoc_data',
    'tkinter',
    'turtledemo',
}
TEST_FOLDERS = {'test', 'tests'}
# The last decimal digit of a module's sha256 decides; other digits are train. Two digits give val and test
# enough text of many modules in every version of Python.
HELD_OUT_DIGITS = {3: 'val', 9: 'test'}

Window = tuple[str, Path, int]  # id, file, index of the window in the file


def write(folder: Path) -> None:
    """Writes `Lib/`, the `.py` files as installed, and `python.txt`, the version of Python, into `folder`."""
    source = Path(sysconfig.get_path('stdlib'))
    for file in _installed(source):
        copy = folder / SOURCE_FOLDER / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    (folder / VERSION_FILE).write_text(f'{platform.python_version()}\n', encoding='utf-8')


def _installed(source: Path) -> Iterator[Path]:
    """Yields the files of the library in `source`, except tests and `EXCLUDED_MODULES`."""
    for top in sorted(source.iterdir()):
        if top.stem in sys.stdlib_module_names - EXCLUDED_MODULES:
            files = [top] if top.suffix == '.py' else sorted(top.rglob('*.py'))
            yield from (
                file for file in files if not TEST_FOLDERS.intersection(file.relative_to(source).parts)
            )


def version(folder: Path) -> str:
    """Returns the version of Python whose library `folder` holds, such as `3.13.7`."""
    return (folder / VERSION_FILE).read_text(encoding='utf-8').strip()


def select_windows(folder: Path, counts: Mapping[str, int]) -> dict[str, list[Window]]:
    """Returns `counts[split]` windows of each split, sorted by id.

    A split takes the windows whose ids have the lowest sha256. A change in one module therefore changes few
    other windows.

    Raises:
      UserError: a split has too few windows.
    """
    candidates: dict[str, list[Window]] = {name: [] for name in counts}
    for window in windows(folder):
        candidates[split(window[0])].append(window)
    for name, count in counts.items():
        if len(candidates[name]) < count:
            raise UserError(
                f'{folder} has {len(candidates[name]):,} windows for {name}, and {count:,} are needed: the '
                f'standard library of Python {version(folder)} is incomplete. Install all of it, delete '
                f'{folder} and build again.'
            )
    return {name: sorted(sorted(candidates[name], key=_id_sha256)[:count]) for name, count in counts.items()}


def windows(folder: Path) -> Iterator[Window]:
    """Yields the windows of all files. Of windows with the same content, only the first is yielded."""
    earlier = set[bytes]()
    sources = folder / SOURCE_FOLDER
    for file in sorted(sources.rglob('*.py')):
        content = file.read_bytes()
        for index, start in enumerate(range(0, len(content) - MIN_LENGTH + 1, LENGTH)):
            text = content[start : start + LENGTH]
            if text not in earlier:
                earlier.add(text)
                yield f'{file.relative_to(sources).as_posix()}:{index:04d}', file, index


def read(file: Path, index: int) -> bytes:
    """Returns the bytes of a window: 256, or at the end of a file at least 128."""
    with file.open('rb') as opened:
        opened.seek(index * LENGTH)
        return opened.read(LENGTH)


def split(identity: str) -> str:
    """Returns the split of a window. The sha256 of its top-level module or package decides."""
    return HELD_OUT_DIGITS.get(_sha256(module(identity)) % 10, 'train')


def module(identity: str) -> str:
    """Returns the top-level module or package of a window: `json` for `json/decoder.py:0003`."""
    return identity.partition(':')[0].partition('/')[0].removesuffix('.py')


def _id_sha256(window: Window) -> int:
    return _sha256(window[0])


def _sha256(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)
