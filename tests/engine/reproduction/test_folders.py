"""The folders of reproductions: continued, and cleaned of what killed ones leave."""

import fcntl
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.reproduction import folders
from tests.engine.reproduction.projects import git

REQUEST: dict[str, Any] = {'run': '/runs/first', 'until': None}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of reproductions of a workspace of the test's own."""
    monkeypatch.setenv('WORKSPACE', str(tmp_path))
    return tmp_path / 'reproductions'


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder as a process does."""
    folder.mkdir(exist_ok=True)
    with (folder / 'lock').open('a') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def begin(request: dict[str, Any] = REQUEST, verdict: bool = False) -> Path:
    """Begins a reproduction that leaves the code, as a killed one does."""
    with folders.opened(Path('/runs/first'), request) as folder:
        (folder / 'code').mkdir(exist_ok=True)
        if verdict:
            (folder / 'verdict.json').write_text('{}')
    return folder


def test_the_same_request_continues_an_interrupted_one(home: Path) -> None:
    folder = begin()
    assert folder.parent == home and folder.stat().st_mode & 0o077 == 0
    assert begin() == folder
    assert begin({**REQUEST, 'until': 3}) != folder


def test_a_reproduction_with_a_verdict_is_kept(home: Path) -> None:
    folder = begin(verdict=True)
    assert begin() != folder


@pytest.mark.parametrize('place', ['.', 'run', 'other_seed'])
def test_a_reproduction_at_work_is_left_alone(home: Path, place: str) -> None:
    folder = begin()
    with at_work(folder / place):
        assert begin() != folder
        assert (folder / 'code').is_dir()


def test_another_run_of_the_same_name_is_another_reproduction(home: Path) -> None:
    folder = begin()
    assert begin({**REQUEST, 'run': '/elsewhere/first'}) != folder


def test_the_code_of_killed_ones_is_removed(home: Path) -> None:
    killed = [begin({'run': name}) for name in ('a', 'b')]
    (killed[1] / 'code').mkdir(exist_ok=True)
    begin({'run': 'c'})
    assert [folder / 'code' for folder in killed if (folder / 'code').exists()] == []


@pytest.mark.parametrize('owner', ['process 3 on another-machine\n', ''])
def test_the_code_of_other_machines_stays(home: Path, owner: str) -> None:
    folder = begin({'run': 'a'})
    (folder / 'code').mkdir(exist_ok=True)
    (folder / 'lock').write_text(owner)
    begin({'run': 'b'})
    assert (folder / 'code').is_dir()


@pytest.mark.parametrize('is_locked', [False, True])
def test_git_forgets_the_worktrees_of_killed_ones(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    repository = tmp_path / 'repository'
    repository.mkdir()
    git(repository, 'init', '-q')
    git(repository, 'commit', '-q', '--allow-empty', '-m', 'Begin')
    monkeypatch.setattr(folders, 'REPOSITORY', repository)
    folder = begin()
    shutil.rmtree(folder / 'code')
    git(repository, 'worktree', 'add', '-q', '--detach', str(folder / 'code'))
    if is_locked:  # killed while git made it
        git(repository, 'worktree', 'lock', str(folder / 'code'))
    assert len(git(repository, 'worktree', 'list').splitlines()) == 2
    assert (folder / 'lock').read_text().endswith(f' on {platform.node()}\n')
    folders.remove_leftovers(home)
    assert not (folder / 'code').exists()
    assert len(git(repository, 'worktree', 'list').splitlines()) == 1
