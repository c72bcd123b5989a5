"""What a run stands on: code, packages, machine."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax

from engine.runs import json_files
from engine.workspace import REPOSITORY

FORMAT = 1
LARGEST = 256 * 1024  # bytes of an untracked file that is worth a place in uncommitted.diff
SECRETS = ('.env', '.pem', '.key', '.p12', 'credentials', 'secret', 'id_rsa', 'id_ed25519', '.netrc')


def write(folder: Path, **origin: Any) -> None:
    """Writes environment.json, requirements.lock and uncommitted.diff: all that a repetition needs to know.

    When a run continues, environment.json keeps the first record and adds the present one under `continued`.
    The other files get a number.

    Args:
      folder: of the run.
      origin: what environment.json says besides, such as the seed.
    """
    path = folder / 'environment.json'
    first = json_files.read(path)
    continued = first.get('continued', [])
    mark = f'-{len(continued) + 2}' if first else ''
    now = {'format': FORMAT} | machine() | _code(folder, mark) | origin
    packages = {f'{each.name}=={each.version}' for each in importlib.metadata.distributions()}
    lock = '\n'.join(sorted(packages, key=str.lower)) + '\n'
    (folder / f'requirements{mark}.lock').write_text(lock, encoding='utf-8')
    json_files.write(path, first | {'continued': [*continued, now]} if first else now)


def machine() -> dict[str, Any]:
    """Returns versions, machine and devices."""
    device = jax.devices()[0]
    return {
        'command': [Path(sys.argv[0]).stem, *sys.argv[1:]],
        'python': platform.python_version(),
        'packages': {name: importlib.metadata.version(name) for name in ('jax', 'jaxlib', 'flax', 'optax')},
        'system': platform.platform(),
        'host': platform.node(),
        'cpus': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(),
        'accelerator': device.device_kind,
        'driver': device.client.platform_version,
        'devices': jax.device_count(),
        'processes': jax.process_count(),
        'xla_flags': os.environ.get('XLA_FLAGS', ''),
    }


def commit() -> str | None:
    """Returns the commit of the repository, None where git does not tell."""
    try:
        return _git('rev-parse', '--verify', 'HEAD').decode().strip()
    except (
        OSError,
        subprocess.CalledProcessError,
    ):  # no git, no commit, or git distrusts the owner of the files
        return None


def _code(folder: Path, mark: str) -> dict[str, Any]:
    """Returns the commit and writes what it lacks; without git, copies the sources."""
    head = commit()
    if head is None:
        ignored = shutil.ignore_patterns('__pycache__', 'toy')
        for part in ('engine', 'research', 'configs', 'data'):
            shutil.copytree(
                REPOSITORY / part, folder / f'sources{mark}' / part, ignore=ignored, dirs_exist_ok=True
            )
        return {'commit': None, 'dirty': None}
    changed = _names('diff', '--name-only', 'HEAD')
    untracked = _names('ls-files', '--others', '--exclude-standard')
    diff = _diff(list(filter(_is_worth_keeping, changed)))
    diff += b''.join(map(_as_diff, filter(_is_worth_keeping, untracked)))
    (folder / f'uncommitted{mark}.diff').write_bytes(diff)
    return {'commit': head, 'dirty': bool(changed or untracked)}


def _git(*arguments: str, check: bool = True) -> bytes:
    command = ['git', '-C', str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, check=check).stdout


def _names(*arguments: str) -> list[str]:
    return [os.fsdecode(name) for name in _git(*arguments, '-z').split(b'\0') if name]


def _is_worth_keeping(file: str) -> bool:
    """Whether a file may enter the run folder: it is not large, and does not look like a secret."""
    path = REPOSITORY / file
    size = path.lstat().st_size if os.path.lexists(path) else 0
    return size <= LARGEST and not any(word in file.lower() for word in SECRETS)


def _diff(files: list[str]) -> bytes:
    return _git('diff', '--binary', 'HEAD', '--', *files) if files else b''


def _as_diff(file: str) -> bytes:
    return _git(
        'diff', '--binary', '--no-index', '/dev/null', file, check=False
    )  # which tells of a difference by 1
