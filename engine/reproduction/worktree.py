"""The code of a run: the recorded commit in a git worktree, with the recorded changes applied.

The changes leave out files that are large or look like secrets. This repository may still have them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.runs.environment import code, history
from engine.runs.environment.git import Git, GitError
from engine.runs.environment.record import SOURCE_FOLDERS
from engine.workspace import REPOSITORY

DIFF, SOURCES = 'uncommitted.diff', 'sources'
_PROJECT_FILES = ('pyproject.toml', 'requirements.txt')


@contextmanager
def recorded_code(run: Path, record: Mapping[str, Any], target: Path) -> Iterator[Path]:
    """Puts the code of a run in a folder and removes the folder afterwards.

    Args:
      run: the run folder.
      record: the record of the run's first session.
      target: a folder that does not exist yet.

    Yields:
      The folder that holds `engine/` of the run.

    Raises:
      UserError: the record does not tell the code, or this repository lacks its commit.
    """
    if (run / DIFF).is_file() and isinstance(record.get('commit'), str):
        with _worktree(record['commit'], (run / DIFF).read_bytes(), target) as folder:
            if record.get('not_in_diff'):
                _add_left_out(record, folder)
            yield folder
    elif (run / SOURCES).is_dir():
        try:
            folder = _copied(run / SOURCES, target)
            _add_left_out(record, folder)
            _check_sources(record, folder)
            yield folder
        finally:
            shutil.rmtree(target, ignore_errors=True)
    else:
        raise UserError(
            f'{run} does not record its code: it lacks {_missing(record)}. '
            '--code=present trains with the code of this repository.'
        )


def _missing(record: Mapping[str, Any]) -> str:
    return f'a commit with {DIFF}, and {SOURCES}/' if record else f'an undamaged {history.FILE}'


@contextmanager
def _worktree(commit: str, diff: bytes, target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as temporary:
        git = Git(REPOSITORY, Path(temporary))
        _check_commit(git, commit)
        try:
            git('worktree', 'add', '--quiet', '--detach', '--force', str(target), commit)
            prefix = os.fsdecode(git('rev-parse', '--show-prefix')).strip()
            if diff:
                Git(target, Path(temporary))('apply', '--binary', '-', stdin=diff)
            yield target / prefix
        except GitError as error:
            raise UserError(f'the recorded code cannot be restored: git says: {error}.') from None
        finally:
            shutil.rmtree(target, ignore_errors=True)
            with suppress(GitError):
                git('worktree', 'prune')


def _add_left_out(record: Mapping[str, Any], folder: Path) -> None:
    """Copies the code that the record leaves out from this repository, where that has the recorded content.

    Args:
      record: of the run.
      folder: the code as far as it is restored.
    """
    restored = code.of(history.modules(record), folder).files
    for name, digest in _files(record).items():
        path = (REPOSITORY / name).resolve()
        is_here = path.is_relative_to(REPOSITORY) and path.is_file()
        if restored.get(name) != digest and is_here and code.digest(path) == digest:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)


def _files(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the digest of each recorded file of the code that trains; none if they are unknown."""
    return history.part(history.part(record, 'code'), 'files')


def _check_commit(git: Git, commit: str) -> None:
    try:
        git('cat-file', '-e', f'{commit}^{{commit}}')
    except GitError as error:
        raise UserError(
            f'{REPOSITORY} does not have commit {commit}, with which the run was trained ({error}). Fetch it '
            '(git fetch --all), or call this program in a clone that has it. --code=present trains with the '
            'present code.'
        ) from None


def _copied(sources: Path, target: Path) -> Path:
    """Copies the sources that a run keeps where git does not record the code."""
    shutil.copytree(sources, target, symlinks=True)
    for name in _PROJECT_FILES:
        if (REPOSITORY / name).is_file():
            shutil.copyfile(REPOSITORY / name, target / name)
    for name in SOURCE_FOLDERS:  # toy datasets are not among the sources
        if (REPOSITORY / name).is_dir():
            _add_toys(REPOSITORY / name, target / name)
    return target


def _check_sources(record: Mapping[str, Any], folder: Path) -> None:
    """Raises `UserError` unless the sources are those of the record, which the user trusts."""
    recorded, restored = _files(record), code.of(history.modules(record), folder).files
    names = sorted(recorded.keys() | restored.keys())
    wrong = [name for name in names if recorded.get(name) != restored.get(name)]
    if wrong or not recorded:
        raise UserError(
            f'{SOURCES}/ of the run is not the code that the run recorded: the digests of '
            f'{", ".join(wrong[:5]) or "all files"} differ. '
            '--code=present trains with the present code.'
        )


def _add_toys(folder: Path, target: Path) -> None:
    for toy in folder.glob('*/toy'):
        if (target / toy.parent.name).is_dir():
            shutil.copytree(toy, target / toy.parent.name / toy.name, dirs_exist_ok=True)
