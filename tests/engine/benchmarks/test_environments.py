"""Environments of the benchmarks install by themselves, once."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks import environments


def write_wheel(folder: Path) -> Path:
    """Writes a package with one module, `peer`, which needs no network to install."""
    path, info = folder / 'peer-1.0-py3-none-any.whl', 'peer-1.0.dist-info'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('peer.py', 'RATE = 7')
        archive.writestr(f'{info}/METADATA', 'Metadata-Version: 2.1\nName: peer\nVersion: 1.0\n')
        archive.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
        archive.writestr(f'{info}/RECORD', '')
    return path


def test_an_environment_is_installed_once_and_again_when_its_requirements_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environments, 'REPOSITORY', tmp_path)
    requirements = tmp_path / 'requirements-peers.txt'
    requirements.write_text(f'{write_wheel(tmp_path)}\n')
    python = environments.python('peers')
    rate = subprocess.run([python, '-c', 'import peer; print(peer.RATE)'], capture_output=True, text=True)
    assert rate.stdout == '7\n'
    assert 'setting up .venv-peers' in capfd.readouterr().err
    (tmp_path / '.venv-peers/mark').touch()
    assert environments.python('peers') == python
    assert capfd.readouterr().err == ''
    requirements.write_text(f'{tmp_path}/missing-2.0-py3-none-any.whl\n')
    for _ in range(2):  # a failed installation is never taken for a whole one
        with pytest.raises(SystemExit, match=r'error: \.venv-peers could not be installed'):
            environments.python('peers')
        assert 'missing' in capfd.readouterr().err
    assert not (tmp_path / '.venv-peers/mark').exists()


def test_another_python_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, 'REPOSITORY', tmp_path)
    monkeypatch.setenv('PEERS_PYTHON', '/opt/python')
    assert environments.python('peers') == Path('/opt/python')
    assert [*tmp_path.iterdir()] == []
