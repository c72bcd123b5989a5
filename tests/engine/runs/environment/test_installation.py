"""Environments install by themselves, once, whole, and again when what they are made from changes."""

import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from engine.errors import RunError
from engine.runs.environment import installation
from engine.workspace import REPOSITORY

UV = Path(sys.executable).parent  # requirements-dev.txt has it


def write_wheel(folder: Path) -> Path:
    """Writes a package with one module, `peer`, which needs no network to install."""
    path, info = folder / 'peer-1.0-py3-none-any.whl', 'peer-1.0.dist-info'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('peer.py', 'RATE = 7')
        archive.writestr(f'{info}/METADATA', 'Metadata-Version: 2.1\nName: peer\nVersion: 1.0\n')
        archive.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        archive.writestr(f'{info}/RECORD', '')
    return path


@pytest.fixture
def requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The requirements of the environment `peers` of a repository."""
    monkeypatch.setattr(installation, 'REPOSITORY', tmp_path)
    monkeypatch.setenv('PATH', f'{UV}:{os.environ["PATH"]}')
    monkeypatch.delenv('PEERS_PYTHON', raising=False)
    path = tmp_path / 'requirements-peers.txt'
    path.write_text(f'{write_wheel(tmp_path)}\n')
    return path


@pytest.mark.parametrize('installer', ['uv', pytest.param('pip', marks=pytest.mark.slow)])
def test_an_environment_is_installed_once_and_again_when_its_requirements_change(
    installer: str,
    requirements: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if installer == 'pip':
        monkeypatch.setenv('PATH', '/usr/bin:/bin')
    python = installation.python('peers')
    rate = subprocess.run([python, '-c', 'import peer; print(peer.RATE)'], capture_output=True, text=True)
    assert rate.stdout == '7\n'
    assert 'setting up .venv-peers: requirements-peers.txt' in capfd.readouterr().err
    (tmp_path / '.venv-peers/mark').touch()
    assert installation.python('peers') == python
    assert capfd.readouterr().err == ''
    requirements.write_text(f'{tmp_path}/missing-2.0-py3-none-any.whl\n')
    for _ in range(2):  # a failed installation is never taken for a whole one
        with pytest.raises(RunError, match=r'packages cannot be installed\. \S+ says:\n(.*\n)*.*missing'):
            installation.python('peers')
    assert not (tmp_path / '.venv-peers/mark').exists()


@pytest.mark.parametrize('damage', ['stamp', 'python', 'place'])
def test_an_environment_that_is_not_whole_is_made_again(
    damage: str, requirements: Path, tmp_path: Path
) -> None:
    made: list[Path] = []

    def create(folder: Path, _: Path) -> None:
        (folder / 'bin').mkdir(parents=True)
        (folder / 'bin/python').symlink_to(tmp_path / 'base')
        made.append(folder)

    (tmp_path / 'base').touch()
    folder = tmp_path / 'env'
    for _ in range(2):
        assert installation.installed(folder, requirements, '3', create) == folder / 'bin/python'
    assert made == [folder]
    if damage == 'stamp':  # an installation was killed
        (folder / installation.STAMP).unlink()
    elif damage == 'python':  # the Python that it was made from is gone
        (tmp_path / 'base').unlink()
    else:
        folder = folder.rename(tmp_path / 'moved')
    installation.installed(folder, requirements, '3', create)
    assert made[1:] == [folder]


def test_two_processes_install_an_environment_once(requirements: Path, tmp_path: Path) -> None:
    made = []

    def create(folder: Path, _: Path) -> None:
        time.sleep(0.2)
        (folder / 'bin').mkdir(parents=True)
        (folder / 'bin/python').touch()
        made.append(folder)

    arguments = tmp_path / 'env', requirements, '3', create
    threads = [threading.Thread(target=installation.installed, args=arguments) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [tmp_path / 'env']


def test_another_python_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, 'REPOSITORY', tmp_path)
    monkeypatch.setenv('PEERS_PYTHON', '/opt/python')
    assert installation.python('peers') == Path('/opt/python')
    assert [*tmp_path.iterdir()] == []


ASK = """
import pathlib, sys
from engine.runs.environment import installation

installation.REPOSITORY = pathlib.Path(sys.argv[1])
installation.main('mirrors')
"""


@pytest.mark.parametrize('problem', ['', 'requirements', 'folder'])
def test_scripts_get_the_python_or_one_message(problem: str, tmp_path: Path) -> None:
    (tmp_path / 'requirements-mirrors.txt').write_text('./missing-2.0-py3-none-any.whl\n')
    if problem == 'folder':
        (tmp_path / '.venv-mirrors.lock').mkdir()
    done = subprocess.run(
        [sys.executable, '-c', ASK, tmp_path],
        cwd=REPOSITORY,
        env=os.environ | {'MIRRORS_PYTHON': '' if problem else '/opt/python', 'PATH': f'{UV}:/usr/bin:/bin'},
        capture_output=True,
        text=True,
    )
    if not problem:
        assert (done.returncode, done.stdout, done.stderr) == (0, '/opt/python\n', '')
        return
    message = {
        'requirements': 'packages cannot be installed',
        'folder': '.venv-mirrors.lock cannot be written',
    }
    assert (done.returncode, done.stdout, 'Traceback' in done.stderr) == (1, '', False)
    assert f'error: {message[problem]}' in done.stderr.replace(f'{tmp_path}/', '')
    assert done.stderr.endswith('MIRRORS_PYTHON names a Python that has the packages.\n')
