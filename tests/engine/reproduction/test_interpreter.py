"""The environment of a run is rebuilt from its requirements.lock, once."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import RunError, UserError
from engine.reproduction import interpreter
from tests.engine.runs.environment.test_installation import write_wheel

RECORD = {'python': platform.python_version(), 'flags': {'XLA_FLAGS': '--xla_a=1'}}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder with a lock, and a package index that holds what it names."""
    write_wheel(tmp_path)
    monkeypatch.setenv('UV_NO_INDEX', '1')
    monkeypatch.setenv('UV_FIND_LINKS', str(tmp_path))
    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    monkeypatch.setenv('PATH', f'{Path(sys.executable).parent}:{os.environ["PATH"]}')
    (tmp_path / interpreter.LOCK).write_text('peer==1.0\npip==99.0\n')
    return tmp_path


def test_a_rebuilt_environment_holds_the_recorded_packages_alone(
    run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = interpreter.rebuilt(run, RECORD)
    assert f'Python {platform.python_version()} and 1 packages' in capfd.readouterr().err
    assert interpreter.rebuilt(run, RECORD) == found
    assert capfd.readouterr().err == ''
    assert found.variables['XLA_FLAGS'] == '--xla_a=1'
    code = 'import peer, sys; from importlib.util import find_spec\n'
    code += 'print(peer.RATE, sys.version.split()[0], find_spec("jax"))'
    done = subprocess.run([found.python, '-I', '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == f'7 {platform.python_version()} None\n'


def test_packages_that_are_nowhere_are_named(run: Path) -> None:
    (run / interpreter.LOCK).write_text('peer==2.0\n')
    with pytest.raises(RunError, match=r'packages cannot be installed(.*\n)*.*peer==2\.0'):
        interpreter.rebuilt(run, RECORD)


@pytest.mark.parametrize('line', ['--index-url=http://a', '-e .', 'peer', 'peer @ file:///x', 'peer>=1'])
def test_a_lock_holds_versions_alone(line: str, run: Path) -> None:
    (run / interpreter.LOCK).write_text(f'{line}\n')
    with pytest.raises(UserError, match='is not a line NAME==VERSION'):
        interpreter.rebuilt(run, RECORD)
