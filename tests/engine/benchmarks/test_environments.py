"""A benchmark ends with one message if an environment of its own cannot be installed."""

import sys
from pathlib import Path

import pytest

from benchmarks import environments
from engine.runs.environment import installation


def test_a_failed_installation_ends_a_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, 'REPOSITORY', tmp_path)
    monkeypatch.setenv('PATH', f'{Path(sys.executable).parent}:/usr/bin:/bin')
    monkeypatch.delenv('PEERS_PYTHON', raising=False)
    (tmp_path / 'requirements-peers.txt').write_text('./missing-2.0-py3-none-any.whl\n')
    with pytest.raises(SystemExit, match=r'error: packages cannot be installed(.*\n)*.*missing'):
        environments.python('peers')


def test_another_python_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PEERS_PYTHON', '/opt/python')
    assert environments.python('peers') == Path('/opt/python')
