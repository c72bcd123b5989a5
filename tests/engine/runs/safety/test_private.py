"""Run folders that only their owner may enter."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.runs.run_folder import Run
from engine.runs.safety import private
from tests.engine.runs.test_run_folder import DIGITS, as_other_user


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))


@pytest.fixture(params=[0o000, 0o002, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize('name', [None, 'new/deep', 'existing'])
def test_a_new_run_is_private_whatever_the_umask(umask: None, name: str | None, tmp_path: Path) -> None:
    (tmp_path / 'existing').mkdir()
    run = Run.begin(DIGITS, tmp_path / name if name else None)
    assert mode(run.folder) == 0o700
    assert all((run.folder / name).is_dir() for name in ('logs', 'outputs', 'debug', 'checkpoints'))


def test_an_opened_run_stays_open(tmp_path: Path) -> None:
    run = Run.begin(DIGITS, tmp_path / 'run')
    run.folder.chmod(0o755)
    run.config.write_text('')
    found = Run.find(str(run.folder))
    found.make_folders()
    found.write_status(step=1)
    assert mode(run.folder) == 0o755


def test_other_bits_of_a_folder_stay(tmp_path: Path) -> None:
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run').chmod(0o2775)  # new files belong to the group of the folder
    assert mode(Run.begin(DIGITS, tmp_path / 'run').folder) == 0o2700


def test_a_file_system_without_modes_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, 'Operation not permitted')

    monkeypatch.setattr(Path, 'chmod', refuse)
    assert Run.begin(DIGITS, tmp_path / 'run').folder.is_dir()


def test_another_user_learns_whom_to_ask(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip('only the superuser can act as another user')
    run = Run.begin(DIGITS, tmp_path / 'run')
    run.config.write_text('')
    with (
        as_other_user(tmp_path),
        pytest.raises(UserError, match=r'run is private to root, who can open it: chmod'),
    ):
        Run.find(str(run.folder))
    private.check(tmp_path / 'nowhere')
