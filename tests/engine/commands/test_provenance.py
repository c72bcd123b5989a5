"""A run continues and predicts with what it was trained with, or says what is different."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import pytest

from engine import outputs, workspace
from engine.datasets.load import load
from engine.files import read_json
from engine.runs import json_lines
from engine.runs.environment import history, packages
from engine.training import trainer
from engine.workspace import REPOSITORY
from tests.conftest import run_program, write_config
from tests.engine.runs.environment.repositories import git
from tests.engine.training.equal_runs import assert_equal

SMALL = {'STEPS': 'STEPS = 6', 'save_every': '  save_every = 2'}


@pytest.fixture(scope='module')
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was interrupted after four of six steps, and its config."""
    folder = tmp_path_factory.mktemp('half')
    config = write_config(folder, **SMALL)
    log_steps = trainer.MetricLogger.log_steps

    def interrupt(self: Any, before: int, metrics: Any) -> None:
        log_steps(self, before, metrics)
        if before + 1 == 4:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.MetricLogger, 'log_steps', interrupt)
        assert run_program('train', f'--gin_file={config}', f'--run={folder / "run"}') == 75
    return folder / 'run'


@pytest.fixture
def run(half: Path, tmp_path: Path) -> Path:
    """A copy of the interrupted run."""
    return Path(shutil.copytree(half, tmp_path / 'run'))


def changes(run: Path) -> list[dict[str, Any]]:
    return json_lines.read(run / 'changes.jsonl')


def edit_record(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edits environment.json as if the run had been trained in another environment."""
    record = read_json(run / 'environment.json')
    edit(record)
    history.write(run / 'environment.json', record)


# The present differs in one flag or variable.

FLAGS = {
    'jax_enable_x64': True,
    'jax_default_prng_impl': 'rbg',
    'jax_threefry_partitionable': False,
    'jax_default_matmul_precision': 'bfloat16',
    'jax_random_seed_offset': 7,
    'jax_softmax_custom_jvp': True,
}
VARIABLES = {
    'XLA_FLAGS': '--xla_cpu_enable_fast_math=true',
    'NVIDIA_TF32_OVERRIDE': '0',
    'LIBTPU_INIT_ARGS': '--xla_tpu_x=1',
    'CUBLAS_WORKSPACE_CONFIG': ':4096:8',
    'NCCL_ALGO': 'Ring',
}
WITHOUT_EFFECT = {
    'XLA_FLAGS': '--xla_dump_to=/nowhere --xla_force_host_platform_device_count=2',
    'XLA_PYTHON_CLIENT_MEM_FRACTION': '0.5',
    'JAX_COMPILATION_CACHE_DIR': '/nowhere',
    'CUDA_VISIBLE_DEVICES': '0',
}


@pytest.fixture
def flag(request: pytest.FixtureRequest) -> Iterator[str]:
    """Sets a flag of JAX."""
    before = jax.config.values[request.param]
    jax.config.update(request.param, FLAGS[request.param])
    yield request.param
    jax.config.update(request.param, before)


@pytest.mark.parametrize('flag', FLAGS, indirect=True)
def test_another_flag_of_jax_is_refused(flag: str, run: Path, program: Any) -> None:
    code, out, err = program('train', f'--run={run}')
    assert code == 2, out + err
    assert f'has been trained with other flags:\n  flags: {flag}: ' in err
    assert f' -> {FLAGS[flag]}\n' in err


@pytest.mark.parametrize('variable', VARIABLES)
def test_another_variable_is_refused(
    variable: str, run: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, VARIABLES[variable])
    code, _, err = program('train', f'--run={run}')
    assert code == 2
    assert f'  flags: {variable}: none -> {VARIABLES[variable]}\n' in err
    assert program('predict', str(run), '--checkpoint=latest')[0] == 2


def test_variables_without_effect_on_numbers_say_nothing(
    run: Path, half: Path, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in WITHOUT_EFFECT.items():
        monkeypatch.setenv(name, value)
    code, out, err = program('train', f'--run={run}')
    assert (code, 'warning' in out + err, changes(run)) == (0, False, [])


# The record differs from the present: packages, code, machine.


def test_another_package_is_refused_with_both_versions(run: Path, program: Any) -> None:
    edit_record(run, lambda record: record['packages'].update(optax='0.0.1'))
    edit_record(run, lambda record: record['packages'].pop('numpy'))
    edit_record(run, lambda record: record.update(python='3.9.0'))
    for arguments in (['train', f'--run={run}'], ['predict', str(run), '--checkpoint=latest']):
        code, _, err = program(*arguments)
        assert code == 2
        assert f'  packages: optax: 0.0.1 -> {packages.installed()["optax"]}\n' in err
        assert '  packages: numpy: none -> ' in err
        assert '  packages: python: 3.9.0 -> ' in err


MACHINES = {
    'host': 'a',
    'cpus': 1000,
    'devices': 7,
    'processes': 3,
    'accelerator': 'H100',
    'driver': 'x',
    'threads': {'NPROC': '9'},
}


def test_another_machine_is_one_warning_and_the_numbers_stay(
    run: Path, trained_small: Path, program: Any
) -> None:
    edit_record(run, lambda record: record.update(MACHINES))
    code, _, err = program('train', f'--run={run}', '--strict')
    assert (code, 'trained with other machine' in err) == (2, True)
    code, out, err = program('train', f'--run={run}')
    assert code == 0, err
    (warning,) = [line for line in out.splitlines() if line.startswith('warning')]
    assert all(f'{name}: ' in warning for name in MACHINES)
    assert 'devices: 7 -> 2' in warning
    assert warning in (run / 'logs/train.log').read_text()
    (line,) = changes(run)
    assert line['machine'].keys() == MACHINES.keys()
    assert_equal(trained_small, run)


@pytest.fixture(scope='module')
def trained_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run, never interrupted."""
    folder = tmp_path_factory.mktemp('whole')
    assert run_program('train', f'--gin_file={write_config(folder, **SMALL)}', f'--run={folder / "run"}') == 0
    return folder / 'run'


def test_a_run_without_a_record_continues_with_a_warning(run: Path, program: Any) -> None:
    path = run / 'environment.json'
    path.write_text(path.read_text().replace('"x86_64', '"y86_64').replace('a', 'b', 9))
    code, out, err = program('train', f'--run={run}')
    assert code == 0, err
    assert 'warning: environment.json is missing or damaged, so they cannot be compared' in out
    assert 'code' in read_json(run / 'environment.json')
    assert (run / 'environment-damaged.json').is_file()


# The code differs. A copy of the repository stands in the place of this one; its files are only read.


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the code, without its history."""
    for name in ('engine', 'research', 'configs', 'data'):
        ignored = shutil.ignore_patterns('__pycache__', 'toy', '*.png')
        shutil.copytree(REPOSITORY / name, tmp_path / 'code' / name, ignore=ignored)
    shutil.copy(REPOSITORY / 'pyproject.toml', tmp_path / 'code')
    monkeypatch.setattr(workspace, 'REPOSITORY', tmp_path / 'code')
    return tmp_path / 'code'


def append(file: Path, text: str = '\nMORE = 1\n') -> None:
    file.write_text(file.read_text() + text)


OTHER_CODE = {
    'model': 'research/models/mlp.py',
    'what a task imports': 'engine/parts/mixing.py',
    'engine': 'engine/training/steps.py',
    'builder': 'data/digits/digits_dataset_builder.py',
    'kind': 'engine/kinds/classification/__init__.py',
}


@pytest.mark.parametrize('kind', OTHER_CODE)
def test_other_code_is_refused_and_named(kind: str, run: Path, repository: Path, program: Any) -> None:
    file = OTHER_CODE[kind]
    append(repository / file)
    code, out, err = program('train', f'--run={run}')
    assert code == 2, out + err
    assert f'{run} has been trained with other code:\n  code: {file} has changed\nRestore the code: ' in err
    assert 'pass --accept_changes' in err
    assert changes(run) == []


def test_other_code_neither_predicts_nor_verifies_in_silence(
    run: Path, repository: Path, program: Any
) -> None:
    (repository / 'research/models/mlp.py').unlink()
    append(repository / 'engine/files.py')
    code, _, err = program('predict', str(run), '--checkpoint=latest')
    assert code == 2
    lines = ['code: engine/files.py has changed', 'code: research/models/mlp.py was removed']
    assert '  {}\n  {}\n'.format(*lines) in err
    _, out, _ = program('verify', str(run), '--from=0', '--steps=2')
    assert out.splitlines()[:2] == lines


def test_edits_that_train_alike_are_not_other_code(run: Path, repository: Path, program: Any) -> None:
    append(repository / 'research/models/mlp.py', '# a comment\n\n"""A text."""\n')
    trainer = repository / 'engine/training/trainer.py'
    trainer.write_text(trainer.read_text().replace('"""The trainer:', '"""Another docstring:', 1))
    for unused in ('engine/commands/compare.py', 'research/models/convnet.py'):
        append(repository / unused)
    (repository / 'research/new.py').write_text('x = 1\n')
    (repository / 'engine/notes.md').write_text('notes\n')
    code, out, err = program('train', f'--run={run}')
    assert code == 0, out + err
    assert changes(run) == []


def test_accepted_code_is_recorded_and_later_results_name_both_commits(
    run: Path, repository: Path, program: Any
) -> None:
    append(repository / 'research/models/mlp.py')
    git(repository, 'init', '-q')
    git(repository, 'add', '.')
    git(repository, 'commit', '-qm', 'other code')
    code, out, err = program('train', f'--run={run}', '--accept_changes')
    assert code == 0, out + err
    (line,) = changes(run)
    assert line['code'].keys() == {'research/models/mlp.py'}
    assert (line['program'], line['step']) == ('train', 2)
    record = read_json(run / 'environment.json')
    commits = [record['commit'][:7], git(repository, 'rev-parse', '--short=7', 'HEAD')]
    assert [name.partition('+')[0] for name in history.versions(record)] == commits
    manifest = outputs.read(run / 'outputs/val').manifest
    assert (manifest.commits, manifest.code) == (history.versions(record), history.code_digests(record))
    assert len(manifest.code) == 2
    code, out, err = program('train', f'--run={run}')  # the accepted code is now the run's
    assert (code, 'This run is finished' in out) == (0, True), err


def test_a_prediction_with_other_code_names_it(run: Path, repository: Path, program: Any) -> None:
    append(repository / 'research/models/mlp.py')
    code, out, err = program('predict', str(run), '--checkpoint=latest', '--accept_changes')
    assert code == 0, out + err
    (folder,) = (run / 'outputs').glob('val@*')
    assert len(outputs.read(folder).manifest.code) == 2
    (line,) = changes(run)
    assert (line['program'], [*line['code']]) == ('predict', ['research/models/mlp.py'])
    assert code == 0
    assert 'continued' not in read_json(run / 'environment.json')  # what trained the run is what it was


def test_a_finished_run_stays_finished(run: Path, repository: Path, program: Any) -> None:
    assert program('train', f'--run={run}')[0] == 0
    append(repository / 'research/models/mlp.py')
    code, out, _ = program('train', f'--run={run}')
    assert (code, 'This run is finished' in out) == (0, True)
    assert 'has changed since. code: research/models/mlp.py has changed' in out


# The data differ.


def test_changed_bytes_of_the_data_are_found(
    program: Any, config_file: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes changed below are damage. A dataset that was built otherwise is other data."""
    from engine.datasets.reading import integrity

    monkeypatch.setenv('WORKSPACE', str(tmp_path / 'workspace'))
    run, file = tmp_path / 'run', config_file(STEPS='STEPS = 2')
    assert program('train', f'--gin_file={file}', f'--run={run}')[0] == 0
    first = load('digits/toy').fingerprint
    assert read_json(run / 'environment.json')['dataset']['fingerprint'] == first
    arrays = load('digits/toy').folder
    with (arrays / 'train/image.npy').open('r+b') as array:
        array.seek(-3, os.SEEK_END)
        array.write(b'\x07')
    more = [f'--gin_file={config_file(STEPS="STEPS = 3")}', f'--run={run}']
    for arguments in (['train', *more, '--accept_changes'], ['predict', str(run)], ['verify', str(run)]):
        code, _, err = program(*arguments)
        assert code == 2
        assert (
            f'{arrays} has changed since it was built: train/image.npy has changed. Restore it, or delete'
            in err
        )
    integrity.write(arrays)
    second = load('digits/toy').fingerprint
    (run / 'status.json').unlink()  # then environment.json has the fingerprint
    for arguments in (['train', *more], ['predict', str(run)]):
        code, _, err = program(*arguments)
        assert code == 2
        assert f'  data: digits: {first} -> {second}\n' in err
        assert 'scripts/dataset.sh check digits reports what is wrong' in err
    code, out, err = program('train', *more, '--accept_changes')
    assert code == 0, out + err
    assert changes(run)[-1]['data'] == {'digits': [first, second]}
    assert program('train', f'--run={run}')[0] == 0
