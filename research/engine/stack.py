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

from research.engine import logs
from research.engine.workspace import REPOSITORY

FORMAT = 1
LARGEST = 256 * 1024  # bytes of an untracked file that is worth a place in uncommitted.diff
SECRETS = ('.env', '.pem', '.key', '.p12', 'credentials', 'secret', 'id_rsa', 'id_ed25519', '.netrc')


def write(folder: Path, **origin: Any) -> None:
    """Writes stack.json, requirements.lock and uncommitted.diff: all that a repetition needs to know.

    Of a run that goes on, stack.json keeps the first stack and adds the present one under `continued`.

    Args:
      folder: of the run.
      origin: what stack.json says besides, such as the seed.
    """
    path = folder / 'stack.json'
    first, now = logs.read_json(path), {'format': FORMAT} | machine() | _code(folder) | origin
    logs.write_json(path, first | {'continued': [*first.get('continued', []), now]} if first else now)
    packages = {f'{each.name}=={each.version}' for each in importlib.metadata.distributions()}
    lock = '\n'.join(sorted(packages, key=str.lower)) + '\n'
    (folder / 'requirements.lock').write_text(lock, encoding='utf-8')


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
    """Returns the commit of the repository, None where there is no git."""
    return _git('rev-parse', 'HEAD').strip() if _has_git() else None


def _has_git() -> bool:
    return (REPOSITORY / '.git').exists() and shutil.which('git') is not None


def _code(folder: Path) -> dict[str, Any]:
    """Returns the commit and writes what it lacks; without git, copies the sources."""
    if not _has_git():
        for part in ('research', 'configs', 'data'):
            ignored = shutil.ignore_patterns('__pycache__', 'toy')
            shutil.copytree(REPOSITORY / part, folder / 'sources' / part, ignore=ignored, dirs_exist_ok=True)
        return {'commit': None, 'dirty': None}
    diff = _git('diff', '--binary', 'HEAD') + ''.join(map(_as_diff, _untracked()))
    (folder / 'uncommitted.diff').write_text(diff)
    return {'commit': commit(), 'dirty': bool(diff)}


def _git(*arguments: str) -> str:
    command = ['git', '-C', str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors='replace').stdout


def _untracked() -> list[str]:
    """Returns untracked files worth keeping: none that is large, none that looks like a secret."""
    files = _git('ls-files', '--others', '--exclude-standard', '-z').split('\0')[:-1]
    open_files = (file for file in files if not any(word in Path(file).name.lower() for word in SECRETS))
    return [file for file in open_files if (REPOSITORY / file).stat().st_size <= LARGEST]


def _as_diff(file: str) -> str:
    return _git('diff', '--binary', '--no-index', '/dev/null', file)
