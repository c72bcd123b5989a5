"""The record of a run's environment: environment.json, requirements.lock, uncommitted.diff and sources/.

Everything that can change the numbers is in it. When a run resumes, the present environment is compared
with it first (differences.py) and then added to it.
"""

import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import workspace
from engine.runs.environment import code, git_record, history, packages, variables
from engine.runs.safety import confidential, trust
from engine.runs.text_log import logger

FORMAT = 2
SOURCE_FOLDERS = ('engine', 'research', 'configs', 'data')
LOCK, DIFF = 'requirements', 'uncommitted'


def present(modules: Iterable[str], jax_flags: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Returns the present environment, without what git knows.

    Args:
      modules: what the training imports because its config names it.
      jax_flags: the flags of JAX that change numbers.
      more: further values, such as the devices, the seed and the dataset.
    """
    modules = sorted(modules)
    used = code.of(modules)
    return {
        'command': [Path(sys.argv[0]).stem, *sys.argv[1:]],
        'python': platform.python_version(),
        'packages': packages.used(used.external),
        'flags': variables.numeric() | dict(jax_flags),
        'system': platform.platform(),
        'host': platform.node(),
        'cpus': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count(),
        'threads': variables.threads(),
        'library_paths': variables.library_paths(),
        **more,
        'code': {'digest': used.digest, 'modules': modules, 'files': used.files},
    }


def write(folder: Path, environment: dict[str, Any]) -> None:
    """Writes environment.json and the files beside it: everything needed to repeat a run.

    When a run resumes, environment.json keeps the first record and adds what is different now to
    `continued`. Other files are written again only if they differ, with a number in their names.

    Args:
      folder: the run folder.
      environment: as `present` returns it.
    """
    path = folder / history.FILE
    first = history.read(path)
    if path.is_file() and not first:
        path.replace(folder / 'environment-damaged.json')
    number = len(history.sessions(first)) + 1
    now = {'format': FORMAT, 'time': datetime.now(UTC).isoformat(timespec='seconds')}
    now |= _record_code(folder, number, environment['code']['files']) | environment
    _write_if_new(folder, LOCK, '.lock', number, _lock())
    if not first:
        _write_history(path, now)
        return
    before = history.latest(first)
    changed = {name: value for name, value in now.items() if before.get(name) != value}
    own = ('time', 'command', 'commit', *history.OF_ONE_SESSION)
    entry = {name: now[name] for name in own if name in now} | changed
    _write_history(path, first | {'continued': [*history.continued(first), entry]})


def _write_history(path: Path, environment: dict[str, Any]) -> None:
    history.write(path, environment)
    trust.vouch_for(path)


def with_git(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an environment with the commit and the digest of the changes since, and writes nothing."""
    known = git_record.record(workspace.REPOSITORY, environment['code']['files'])
    return {**environment, **known.as_json()}


def _lock() -> bytes:
    """Returns all installed packages with their versions, one a line."""
    return ''.join(f'{name}=={version}\n' for name, version in packages.installed().items()).encode()


def _record_code(folder: Path, number: int, needed: Iterable[str]) -> dict[str, Any]:
    """Returns what git knows of the code, and writes the diff. Copies the sources if git does not know all.

    Args:
      folder: the run folder.
      number: of the session, from 1.
      needed: the files that train.
    """
    known = git_record.record(workspace.REPOSITORY, needed)
    record = known.as_json()
    if known.left_out:
        logger.warning(
            "note: uncommitted.diff leaves out large, secret, unreadable and other repositories' files: %s. "
            'So it does not give the code as it is.',
            _listed(known.left_out),
        )
    if known.diff is not None:
        _write_if_new(folder, DIFF, '.diff', number, known.diff)
        return record
    sources = folder / _numbered('sources', number)
    missing = _copy_sources(sources)
    trust.vouch_for(sources)
    without = f', without {_listed(missing)}' if missing else ''
    logger.warning(
        'warning: git cannot record the code: %s. %s holds a copy%s.', known.problem, sources, without
    )
    return record | {'git_problem': known.problem} | ({'not_in_sources': missing} if missing else {})


def _copy_sources(target: Path) -> list[str]:
    """Copies the sources of the repository. Returns what is large, may hold secrets or cannot be read."""
    missing: list[str] = []

    def ignored(folder: str, names: list[str]) -> set[str]:
        private = [name for name in names if _is_large_or_secret(Path(folder, name))]
        missing.extend(str(Path(folder, name)) for name in private)
        return {*private, '__pycache__', 'toy'}

    for name in filter(lambda name: (workspace.REPOSITORY / name).is_dir(), SOURCE_FOLDERS):
        try:
            # A link may lead to the originals of a dataset, which may be huge: it stays a link.
            source, copy = workspace.REPOSITORY / name, target / name
            shutil.copytree(source, copy, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        except shutil.Error as error:
            missing += [str(file) for file, *_ in error.args[0]]
    return missing


def _is_large_or_secret(path: Path) -> bool:
    """Whether a file stays out of a run folder, as `git_record` decides it."""
    if confidential.is_named_so(path.name):
        return True
    if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
        return False
    return path.stat().st_size > git_record.MAX_BYTES or confidential.is_in(path.read_bytes())


def _write_if_new(folder: Path, name: str, suffix: str, number: int, content: bytes) -> None:
    """Writes a file of a session unless the newest file of that name has the same content."""
    names = (f'{_numbered(name, earlier)}{suffix}' for earlier in range(number, 0, -1))
    newest = next((folder / name for name in names if (folder / name).is_file()), None)
    if newest is None or newest.read_bytes() != content:
        path = folder / f'{_numbered(name, number)}{suffix}'
        path.write_bytes(content)
        trust.vouch_for(path)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f'{name}-{number}'


def _listed(names: list[str]) -> str:
    return ', '.join(names[:5]) + (f' and {len(names) - 5} more' if len(names) > 5 else '')
