"""The folders of reproductions in the workspace.

An interrupted reproduction is taken up again by the same command, if nothing has changed meanwhile that
changes bits. What a killed one leaves is removed by the next one: its copy of the code, and the worktree of
that copy which git still lists.
"""

import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import files
from engine.runs import lock
from engine.runs.environment.git import Git, GitError
from engine.runs.safety import private
from engine.workspace import REPOSITORY, workspace

CODE, RUN, OTHER_SEED = 'code', 'run', 'other_seed'
REQUEST, VERDICT = 'request.json', 'verdict.json'


@contextmanager
def opened(run: Path, request: Mapping[str, Any]) -> Iterator[Path]:
    """Yields the folder of a reproduction, and holds its lock while inside.

    Args:
      run: the run folder that is reproduced.
      request: all that decides what the reproduction does, as JSON can hold it.

    Yields:
      The folder of an interrupted reproduction with the same request, or a new one.
    """
    home = workspace() / 'reproductions'
    remove_leftovers(home)
    folder = _interrupted(home, run.name, request) or _new(home, run.name)
    with lock.locked(folder, {}):
        files.write_json(folder / REQUEST, request)
        yield folder


def _new(home: Path, name: str) -> Path:
    folder = home / f'{name}-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S-%f}'
    private.make(folder)
    return folder


def _interrupted(home: Path, name: str, request: Mapping[str, Any]) -> Path | None:
    """Returns the newest reproduction with this request that has no verdict and no process; None if none."""
    for path in sorted(home.glob(f'*/{REQUEST}'), reverse=True):
        folder = path.parent
        is_open = folder.name.startswith(f'{name}-') and not (folder / VERDICT).exists()
        if is_open and files.read_json(path) == request and not _is_at_work(folder):
            return folder
    return None


def remove_leftovers(home: Path) -> None:
    """Removes the code of reproductions that were killed on this machine, and their worktrees from git.

    Args:
      home: the folder of all reproductions.
    """
    codes = [code for code in home.glob(f'*/{CODE}') if _is_abandoned(code.parent)]
    for code in codes:
        _git('worktree', 'unlock', str(code))  # git locks it while it makes it
        shutil.rmtree(code, ignore_errors=True)
    if codes:
        _git('worktree', 'prune')


def _git(*arguments: str) -> None:
    """Runs git in the repository. A failure does not matter: the code may be no repository."""
    with tempfile.TemporaryDirectory() as temporary, suppress(GitError):
        Git(REPOSITORY, Path(temporary))(*arguments)


def _is_abandoned(folder: Path) -> bool:
    """Whether a reproduction began on this machine and has no process. The lock works on one machine."""
    try:
        owner = (folder / 'lock').read_text(encoding='utf-8', errors='replace').strip()
    except OSError:
        return False
    return owner.endswith(f' on {platform.node()}') and not _is_at_work(folder)


def _is_at_work(folder: Path) -> bool:
    """Whether the process of a reproduction lives, or a training that has outlived it."""
    return any(map(lock.is_held, (folder, folder / RUN, folder / OTHER_SEED)))
