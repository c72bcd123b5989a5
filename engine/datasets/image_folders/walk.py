"""Walks through a folder: which files are taken, and which are left out and why.

Links to files and folders are followed, except for a link to a folder that it lies in. Hidden names, and what
systems and programs put beside files, are skipped. What cannot be read is an error, never passed over.
"""

import errno
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import UserError

MAX_NAMES = 5  # names of each kind in a message
HIDDEN = 'hidden or put there by a system or program'
CONVERTIBLE = {  # endings of images that nothing here reads, in lower case
    *(
        '.heic',
        '.heif',
        '.jxl',
        '.svg',
        '.psd',
        '.raw',
        '.dng',
        '.cr2',
        '.cr3',
        '.nef',
        '.arw',
        '.orf',
        '.rw2',
    ),
}
SYSTEM_NAMES = {  # in lower case
    '__macosx',
    '__pycache__',
    '@eadir',
    '#recycle',
    '$recycle.bin',
    'system volume information',
    'lost+found',
    'thumbs.db',
    'ehthumbs.db',
    'desktop.ini',
    'icon\r',
}
_BY_EFFECTIVE_ID = os.access in os.supports_effective_ids
_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]')


@dataclass(frozen=True)
class Walk:
    """What a walk through a folder found.

    Attributes:
      folder: the folder.
      files: the paths of the files that were taken, in order. There may be a million; as `Path`s, they would
        take ten times the memory.
      left_out: the files and folders that were not, by the reason.
    """

    folder: Path
    files: list[str]
    left_out: dict[str, list[Path]] = field(default_factory=dict)


def is_hidden(name: str) -> bool:
    """Whether a name is hidden, or that of a file which a system or program puts beside others.

    >>> [is_hidden(name) for name in ('.ipynb_checkpoints', '._x.jpg', 'Thumbs.db', 'x.jpg')]
    [True, True, True, False]
    """
    return name.startswith('.') or name.lower() in SYSTEM_NAMES


def walk(folder: Path, endings: Collection[str], what: str) -> Walk:
    """Walks through a folder, at any depth.

    Args:
      folder: the folder.
      endings: the endings of the files to take, in lower case, such as `.jpg`. Case does not matter.
      what: what these files are, for messages, such as 'images'.

    Raises:
      UserError: a file or folder cannot be read, or its name is not one line of UTF-8.
    """
    files: list[str] = []
    left_out: dict[str, list[Path]] = defaultdict(list)
    faults: list[str] = []
    start = len(str(folder))
    for path, reason in _entries(str(folder), (folder.resolve(),), faults):
        is_taken = not reason and _ending(path) in endings
        if reason != HIDDEN and _CONTROL.search(path, start):
            faults.append(f'{path!r} has a name that is not one line of UTF-8: rename it')
        elif is_taken:
            files.append(path)
        else:
            left_out[reason or _by_ending(_ending(path), what)].append(Path(path))
    if faults:
        more = f' There are {len(faults) - 1:,} more such files or folders.' if len(faults) > 1 else ''
        raise UserError(f'{faults[0]}.{more}')
    return Walk(folder, files, dict(left_out))


def _ending(path: str) -> str:
    """Returns the ending of a file, in lower case."""
    stem, dot, ending = path.rpartition('/')[2].rpartition('.')
    return f'.{ending.lower()}' if stem and dot and ending else ''


def _entries(folder: str, above: tuple[Path, ...], faults: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the path of each file, and of each file or folder that is left out with the reason.

    Args:
      folder: where to look.
      above: the real paths of `folder` and of the folders that lead to it.
      faults: gets a sentence for all that cannot be read.
    """
    try:
        with os.scandir(folder) as scanned:  # faster than pathlib, and a folder may hold a million files
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        faults.append(_unreadable(Path(folder), error))
        return
    for entry in entries:
        path = entry.path
        if is_hidden(entry.name):
            yield path, HIDDEN
        elif fault := _fault(entry):
            faults.append(_unreadable(Path(path), fault))
        elif not entry.is_dir():
            yield path, ''
        elif (target := Path(path).resolve()) in above:
            yield path, 'a link to a folder that it lies in'
        else:
            yield from _entries(path, (*above, target), faults)


def _fault(entry: os.DirEntry[str]) -> OSError | None:
    """Returns why a file or the target of a link cannot be read, None if it can."""
    try:
        if entry.is_symlink():
            entry.stat()
        if not entry.is_dir() and not os.access(entry, os.R_OK, effective_ids=_BY_EFFECTIVE_ID):
            return PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        return error
    return None


def _unreadable(path: Path, error: OSError) -> str:
    if path.is_symlink() and isinstance(error, FileNotFoundError):
        return f'{path} is a link to {path.readlink()}, which does not exist. Correct or remove it'
    return f'{path} cannot be read: {error.strerror}. Make it readable, or move it away'


def _by_ending(ending: str, what: str) -> str:
    """Returns why a file is left out whose ending is none of those to take."""
    if ending in CONVERTIBLE:
        return f'{ending} cannot be read, convert it to JPEG or PNG'
    return f'{ending} is not an ending of {what}' if ending else f'without an ending of {what}'


def described(left_out: dict[str, list[Path]], folder: Path) -> list[str]:
    """Returns a line for each reason: why files or folders were left out, how many, and the first names.

    >>> described({'hidden': [Path('a/.b'), Path('a/.c')]}, Path('a'))
    ['hidden: 2 (.b, .c)']
    """
    return [f'{reason}: {len(paths):,} ({names(paths, folder)})' for reason, paths in left_out.items()]


def names(paths: Sequence[Path], folder: Path) -> str:
    """Returns the first of some paths, relative to a folder."""
    shown = [_shown(os.path.relpath(path, folder)) for path in paths[:MAX_NAMES]]
    return ', '.join(shown) + ', ...' * (len(paths) > MAX_NAMES)


def _shown(name: str) -> str:
    return name if not _CONTROL.search(name) else repr(name)


def merged(parts: Iterable[dict[str, list[Path]]]) -> dict[str, list[Path]]:
    """Returns several records of what was left out as one."""
    together: dict[str, list[Path]] = defaultdict(list)
    for part in parts:
        for reason, paths in part.items():
            together[reason] += paths
    return dict(together)
