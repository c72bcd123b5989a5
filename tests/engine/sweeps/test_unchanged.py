"""A sweep whose Gin files, code, packages or flags have changed trains no further run, and says why."""

from pathlib import Path

import pytest

from engine import files
from engine.errors import UserError
from engine.runs.environment import history
from engine.sweeps import unchanged
from engine.sweeps.sweep_folder import Sweep
from tests.engine.sweeps.sample_sweeps import begun

MODULES = ['research.models.mlp', 'optax']


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    paths = [tmp_path / name for name in ('a.gin', 'included.gin')]
    for path in paths:
        path.write_text('A = 1\n')
    sums = [{str(path): files.sha256(path)} for path in paths]
    begun_sweep = begun(tmp_path, 'A=1,2', gin_files=sums[0], included=sums[1])
    history.write(begun_sweep.folder / history.FILE, unchanged.environment(MODULES))
    unchanged.check(begun_sweep)
    return begun_sweep


@pytest.mark.parametrize('name', ['a.gin', 'included.gin'])
def test_a_changed_gin_file_is_named(sweep: Sweep, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('A = 2\n')
    with pytest.raises(UserError, match=rf'{name} has changed\n.*another --name'):
        unchanged.check(sweep)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f'{name} does not exist here'):
        unchanged.check(sweep)


@pytest.mark.parametrize(
    ('subject', 'name', 'line'),
    [
        ('code', 'research/models/mlp.py', 'code: research/models/mlp.py has changed'),
        ('packages', 'jax', 'packages: jax: 0.1 -> '),
        ('flags', 'XLA_FLAGS', 'flags: XLA_FLAGS: 0.1 -> '),
    ],
)
def test_changed_code_packages_and_flags_are_named(sweep: Sweep, subject: str, name: str, line: str) -> None:
    path = sweep.folder / history.FILE
    recorded = {key: value for key, value in history.read(path).items() if key != history.SEAL}
    values = recorded[subject]['files'] if subject == 'code' else recorded[subject]
    assert subject == 'flags' or name in values
    values[name] = '0.1'
    history.write(path, recorded)
    with pytest.raises(UserError) as raised:
        unchanged.check(sweep)
    assert line in str(raised.value)


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('JAX_ENABLE_X64', '1'),
        ('XLA_FLAGS', '--xla_cpu_enable_fast_math=true'),
        ('JAX_DEFAULT_PRNG_IMPL', 'rbg'),
    ],
)
def test_a_variable_of_the_shell_is_noticed(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f'flags: {name}: none -> {value}'):
        unchanged.check(sweep)


def test_a_comment_in_the_code_changes_nothing_and_a_sweep_knows_its_commit(sweep: Sweep) -> None:
    recorded = history.latest(history.read(sweep.folder / history.FILE))
    assert 'research/models/mlp.py' in recorded['code']['files']
    assert history.version(recorded)
