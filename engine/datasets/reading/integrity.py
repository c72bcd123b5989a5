"""Whether the arrays of a built dataset are still those that were built.

`checksums.txt` beside the arrays has a line for each file: its sha256 and its path. The sha256 of these lines
is the fingerprint of the dataset.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from engine import files
from engine.errors import UserError

ARRAYS = 'arrays'  # the folder of a dataset's arrays, beside its records
CHECKSUMS, FINGERPRINT = 'checksums.txt', 'fingerprint.txt'
ALWAYS_READ = 2**25  # bytes of all files together; in larger datasets, files not touched since are believed


def write(folder: Path) -> None:
    """Writes `checksums.txt` and `fingerprint.txt` of the arrays in a folder."""
    (folder / CHECKSUMS).write_text(_text(checksums(folder)), encoding='utf-8')
    (folder / FINGERPRINT).write_text(fingerprint(folder) + '\n')


def checksums(folder: Path) -> dict[str, str]:
    """Returns the sha256 of each file in the split folders, by its path."""
    return {path.relative_to(folder).as_posix(): files.sha256(path) for path in sorted(folder.glob('*/*'))}


def fingerprint(folder: Path) -> str:
    """Returns the sha256 over path and content of each file in the split folders.

    Arrays identify the data. Records do not: protobuf orders its maps at random, so each build differs.
    """
    return _digest(_text(checksums(folder)))


def check(folder: Path) -> None:
    """Checks that the arrays in a folder have not changed since they were built.

    All files of a small dataset are read. In a large one, files that changed after `checksums.txt` are.

    Raises:
      UserError: a file has changed, is missing or was added. The message names the files.
    """
    try:
        text = (folder / CHECKSUMS).read_text(encoding='utf-8')
        stated = (folder / FINGERPRINT).read_text(encoding='utf-8').strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _changed(
            folder, f'{CHECKSUMS} or {FINGERPRINT} cannot be read ({type(error).__name__})'
        ) from None
    if _digest(text) != stated:
        raise _changed(folder, f'{FINGERPRINT} is not the sha256 of {CHECKSUMS}')
    lines = (line.partition('  ') for line in text.splitlines())
    recorded = {name: sha256 for sha256, _, name in lines}
    problems = list(_problems(folder, recorded))
    if problems:
        more = f' and {len(problems) - 5} more' if len(problems) > 5 else ''
        raise _changed(folder, ', '.join(problems[:5]) + more)


def _problems(folder: Path, recorded: Mapping[str, str]) -> Iterator[str]:
    present = {path.relative_to(folder).as_posix(): path.stat() for path in folder.glob('*/*')}
    yield from (f'{name} is missing' for name in sorted(recorded.keys() - present.keys()))
    yield from (f'{name} was added' for name in sorted(present.keys() - recorded.keys()))
    known = (folder / CHECKSUMS).stat().st_ctime_ns
    are_small = sum(status.st_size for status in present.values()) <= ALWAYS_READ
    touched = {name for name, status in present.items() if status.st_ctime_ns > known} & recorded.keys()
    changed = {
        name
        for name in sorted(present.keys() & recorded.keys() if are_small else touched)
        if files.sha256(folder / name) != recorded[name]
    }
    yield from (f'{name} has changed' for name in sorted(changed))
    if touched and not changed:  # as after a copy: the next check need not read them
        with suppress(OSError):
            os.utime(folder / CHECKSUMS)


def _changed(folder: Path, problem: str) -> UserError:
    return UserError(
        f'the dataset in {folder} has changed since it was built: {problem}. Restore it, or delete '
        f'{folder.parent} to build it again.'
    )


def _text(values: Mapping[str, str]) -> str:
    return ''.join(f'{sha256}  {name}\n' for name, sha256 in values.items())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
