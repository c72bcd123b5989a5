"""The environment record of a run: its code, its packages and its machine."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine import files
from engine.workspace import REPOSITORY

FORMAT = 1
SOURCE_FOLDERS = ('engine', 'research', 'configs', 'data')
MAX_UNTRACKED_BYTES = 256 * 1024  # larger files do not enter the run folder
SECRET_WORDS = ('.env', '.pem', '.key', '.p12', 'credentials', 'secret', 'id_rsa', 'id_ed25519', '.netrc')


def write(folder: Path, **origin: Any) -> None:
    """Writes environment.json, requirements.lock and uncommitted.diff: everything needed to repeat a run.

    When a run continues, environment.json keeps the first record and adds the new one to `continued`. The
    other files get a number in their names.

    Args:
      folder: the run folder.
      origin: further values for environment.json, such as the seed.
    """
    path = folder / 'environment.json'
    first = files.read_json(path)
    continued = first.get('continued', [])
    suffix = f'-{len(continued) + 2}' if first else ''
    record = {'format': FORMAT} | machine() | _record_code(folder, suffix) | origin
    (folder / f'requirements{suffix}.lock').write_text(_packages(), encoding='utf-8')
    files.write_json(path, first | {'continued': [*continued, record]} if first else record)


def machine() -> dict[str, Any]:
    """Returns the command, the versions of Python and its main packages, and the host."""
    return {
        'command': [Path(sys.argv[0]).stem, *sys.argv[1:]],
        'python': platform.python_version(),
        'packages': {name: importlib.metadata.version(name) for name in ('jax', 'jaxlib', 'flax', 'optax')},
        'system': platform.platform(),
        'host': platform.node(),
        'cpus': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(),
        'xla_flags': os.environ.get('XLA_FLAGS', ''),
    }


def commit() -> str | None:
    """Returns the commit of the repository.

    Returns None if git is missing, if there is no commit, or if git distrusts the owner of the files.
    """
    try:
        return _git('rev-parse', '--verify', 'HEAD').decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _packages() -> str:
    """Returns all installed packages with their versions, one a line."""
    lines = {f'{package.name}=={package.version}' for package in importlib.metadata.distributions()}
    return '\n'.join(sorted(lines, key=str.lower)) + '\n'


def _record_code(folder: Path, suffix: str) -> dict[str, Any]:
    """Returns the commit, and writes uncommitted changes to a diff. Without git, copies the sources."""
    head = commit()
    if head is None:
        _copy_sources(folder / f'sources{suffix}')
        return {'commit': None, 'dirty': None}
    changed = _names('diff', '--name-only', 'HEAD')
    untracked = _names('ls-files', '--others', '--exclude-standard')
    diff = _diff(list(filter(_may_be_kept, changed)))
    diff += b''.join(map(_diff_of_new_file, filter(_may_be_kept, untracked)))
    (folder / f'uncommitted{suffix}.diff').write_bytes(diff)
    return {'commit': head, 'dirty': bool(changed or untracked)}


def _copy_sources(target: Path) -> None:
    ignored = shutil.ignore_patterns('__pycache__', 'toy')
    for name in SOURCE_FOLDERS:
        shutil.copytree(REPOSITORY / name, target / name, ignore=ignored, dirs_exist_ok=True)


def _git(*arguments: str, check: bool = True) -> bytes:
    command = ['git', '-C', str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, check=check).stdout


def _names(*arguments: str) -> list[str]:
    return [os.fsdecode(name) for name in _git(*arguments, '-z').split(b'\0') if name]


def _may_be_kept(file: str) -> bool:
    """Whether a file may enter the run folder: it is small, and its name does not suggest a secret."""
    path = REPOSITORY / file
    size = path.lstat().st_size if os.path.lexists(path) else 0
    return size <= MAX_UNTRACKED_BYTES and not any(word in file.lower() for word in SECRET_WORDS)


def _diff(files: list[str]) -> bytes:
    return _git('diff', '--binary', 'HEAD', '--', *files) if files else b''


def _diff_of_new_file(file: str) -> bytes:
    # Git reports a difference by exit code 1.
    return _git('diff', '--binary', '--no-index', '/dev/null', file, check=False)
